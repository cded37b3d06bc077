"""The curls of the documents, read as a shell reads them and sent as curl does."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2


@dataclass(frozen=True, slots=True)
class Curl:
    """One request, as a shell reads it."""

    method: str
    url: str
    headers: dict[str, str]
    body: str | None

    @classmethod
    def read(cls, text: str) -> "Curl":
        """Read the command line of a document."""
        words = iter(shlex.split(text.replace("\\\n", " "))[1:])
        method, url, headers, body = "", "", {}, None
        for word in words:
            if word == "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            elif word == "-X":
                method = next(words)
            elif word in {"-d", "--data-binary"}:
                body = next(words)
            elif word == "-o":
                next(words)
            elif word != "-N":
                url = word
        return cls(method or ("POST" if body else "GET"), url, headers, body)

    async def send(self, wire: httpx2.AsyncClient, variables: Mapping[str, str]) -> httpx2.Response:
        """Send it, with the shell's variables and files filled in."""

        def filled(text: str) -> str:
            for name, value in variables.items():
                text = text.replace(name, value)
            return text

        headers = {name: filled(value) for name, value in self.headers.items()}
        body = None if self.body is None else filled(self.body)
        return await wire.request(self.method, filled(self.url), headers=headers, content=body)

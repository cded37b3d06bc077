"""What the local stack must keep secret and find again: sealing key, pepper and the demo tenant's API key."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from postroom.local.trouble import Trouble
from postroom.tenants.keys import new_key, well_formed


@dataclass(frozen=True, slots=True)
class Credentials:
    """Made once per data folder; the file is for its owner's eyes only (0600)."""

    sealing_keys: str
    pepper: str
    demo_key: str

    @classmethod
    def of_folder(cls, data_dir: Path) -> Self:
        """Read the folder's credentials, made at the first start.

        Raises:
            Trouble: the file is damaged; making new ones would lock every stored secret.
        """
        path = data_dir / "credentials.json"
        if not path.exists():
            _keep(cls.new(), path)
        try:
            kept = json.loads(path.read_text())
            found = cls(**{field.name: kept[field.name] for field in fields(cls)})
        except (ValueError, KeyError, TypeError) as error:
            raise Trouble(f"{path} is damaged; restore it, or remove {data_dir} to begin again.") from error
        if not well_formed(found.demo_key):
            raise Trouble(f"{path} holds a damaged demo key; restore it, or remove {data_dir} to begin again.")
        return found

    @classmethod
    def new(cls) -> Self:
        """Make credentials nobody had before."""
        pepper = secrets.token_urlsafe(32)
        sealing_key = base64.b64encode(secrets.token_bytes(32)).decode()
        return cls(f"local:{sealing_key}", pepper, new_key(pepper.encode()).text)


def _keep(credentials: Credentials, path: Path) -> None:
    """Write the whole file or nothing."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(credentials), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

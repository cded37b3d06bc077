"""What a caller writes about the words of a message: its own, or a template to speak with."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from api.v1.body import Body
from api.v1.fields import LanguageTag, LongText, Variables, Word, as_field
from postroom.channels.email.headers import check_subject
from postroom.errors import FieldError, Invalid
from postroom.templates.using import Use


class Content(Body):
    """A message as plain text, as HTML, or both."""

    text: LongText | None = None
    html: LongText | None = None


def _content(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


AnyContent = Annotated[Content, BeforeValidator(_content, json_schema_input_type=str | Content)]
EMPTY = Content()


class Wording(Body):
    """A title and a content, or a template with its variables."""

    title: Annotated[str, Field(min_length=1), AfterValidator(as_field(check_subject))] | None = None
    content: AnyContent | None = None
    template: Word | None = Field(
        default=None,
        description="Instead of title and content: a template, by id or name. Its newest approved version is sent.",
        examples=[None],
    )
    template_id: Word | None = Field(default=None, description="The same as `template`.", examples=[None])
    template_set: Word | None = Field(
        default=None, description="Instead of a template: a set, of which each recipient gets one.", examples=[None]
    )
    variables: Variables | None = Field(
        default=None, description="What stands for the template's variables.", examples=[{"name": "Ada"}]
    )
    language: LanguageTag | None = Field(
        default=None, description="Which language of the template; without it the contact's.", examples=["de-AT"]
    )

    def template_use(self) -> Use | None:
        """Return the template it speaks with, if it does.

        Raises:
            Invalid: it has both words and a template, neither of them, or half of the words.
        """
        named = [name for name in ("template", "template_id", "template_set") if getattr(self, name) is not None]
        if not named:
            self._check_words()
            return None
        for name in (*named[1:], "title", "content"):
            if getattr(self, name) is not None:
                detail = "Give title and content, or one template, or one set."
                raise Invalid.at(f"/{name}", "template_or_content", detail)
        (name,) = named
        return Use(
            getattr(self, name),
            f"/{name}",
            name == "template_set",
            variables=self.variables or {},
            language=self.language,
        )

    def _check_words(self) -> None:
        lacking = [name for name in ("title", "content") if getattr(self, name) is None]
        if lacking:
            sentence = "This field is required."
            errors = [FieldError(f"/{name}", "field_required", sentence) for name in lacking]
            detail = sentence if len(errors) == 1 else f"{len(errors)} fields are wrong."
            raise Invalid(detail, code="field_required", errors=errors)
        for name in ("variables", "language"):
            if getattr(self, name) is not None:
                raise Invalid.at(f"/{name}", "template_required", "This goes with a template.")
        if self.content is None or not (self.content.text or self.content.html):
            raise Invalid.at("/content", "field_required", "A message needs text or HTML.")

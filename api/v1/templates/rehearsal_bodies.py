"""What a caller writes to rehearse a template, and what they read of it."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from api.v1.body import Body
from api.v1.fields import LanguageTag, UserId, Variables, Word
from api.v1.templates.bodies import SIMPLE, TemplateBody
from postroom.channels.email.plaintext import plain_text
from postroom.contracts.vocabulary import ChannelKind
from postroom.rendering.rehearsals import Flight, Preview, Remark, Wish
from postroom.rendering.segments import Alphabet, segments

# What a page that shows a preview must send with it: nothing in it runs, nothing but pictures is loaded.
SAFE_TO_SHOW: Mapping[str, str] = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
Number = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]


class WishBody(Body):
    """For whom a template is rehearsed, and with what."""

    variables: Variables | None = Field(default=None, examples=[{"name": "Ada", "number": "A-1001"}])
    language: LanguageTag | None = Field(default=None, examples=["de-AT"])
    variant: Word | None = Field(default=None, description="Without it, the one this person gets.", examples=[None])
    user_id: UserId | None = Field(
        default=None, description="A contact, whose language, zone and attributes count.", examples=[None]
    )

    def wish(self) -> Wish:
        """Put the fields together."""
        return Wish(self.variables or {}, self.language, self.variant, self.user_id)


class RehearsalBody(WishBody):
    """A rehearsal of a version; without one, of the newest."""

    version: Number | None = Field(default=None, examples=[3])


class UnsavedBody(WishBody):
    """A rehearsal of what is not kept yet."""

    template: TemplateBody = Field(examples=[SIMPLE])


class TestSendBody(RehearsalBody):
    """Whom to send a test to: an address, or the contact's own."""

    to: Annotated[str, Field(max_length=320)] | None = Field(default=None, examples=["me@shop.example"])


class SizesView(BaseModel):
    """How large a message is, in bytes, and how many parts it would take as an SMS."""

    title: int = Field(examples=[12])
    text: int = Field(examples=[340])
    html: int = Field(examples=[0])
    sms_alphabet: Alphabet = Field(examples=["gsm-7"])
    sms_units: int = Field(examples=[340])
    sms_segments: int = Field(examples=[3])


class PreviewView(BaseModel):
    """The words somebody would get."""

    channel: ChannelKind = Field(examples=["email"])
    variant: str = Field(examples=["default"])
    language: str = Field(examples=["de"])
    title: str | None = Field(examples=["Order A-1001"])
    text: str | None = Field(examples=["Hello Ada, it is on its way."])
    text_is_derived: bool = Field(description="Whether the text was made from the HTML, as e-mail does.")
    html: str | None = Field(examples=[None])
    sizes: SizesView
    html_headers: Mapping[str, str] = Field(
        description="What a page must send along that shows the HTML.", examples=[SAFE_TO_SHOW]
    )

    @classmethod
    def of(cls, preview: Preview) -> "PreviewView":
        """Describe a preview."""
        words = preview.words
        derived = words.text is None and words.html is not None
        text = plain_text(words.html or "") if derived else words.text
        return cls(
            channel=ChannelKind(preview.channel),
            variant=preview.variant,
            language=preview.language,
            title=words.title,
            text=text,
            text_is_derived=derived,
            html=words.html,
            sizes=_sizes(words.title or "", text or "", words.html or ""),
            html_headers=SAFE_TO_SHOW,
        )


class RemarkView(BaseModel):
    """Something to look at; an error means that this variant in this language cannot be sent as it is."""

    severity: str = Field(examples=["warning"], description="`error` or `warning`.")
    code: str = Field(examples=["link_relative"])
    detail: str
    variant: str = Field(examples=["default"])
    language: str | None = Field(examples=["de"])
    field: str = Field(examples=["html"])
    line: int | None = Field(examples=[3])
    column: int | None = Field(examples=[14])

    @classmethod
    def of(cls, remark: Remark) -> "RemarkView":
        """Describe a remark."""
        finding = remark.finding
        return cls(
            severity="error" if finding.is_error else "warning",
            code=finding.code,
            detail=finding.detail,
            variant=remark.variant,
            language=remark.language,
            field=finding.field,
            line=remark.line,
            column=remark.column,
        )


class RehearsedVariantView(BaseModel):
    """How large one variant in one language came out."""

    variant: str = Field(examples=["default"])
    language: str = Field(examples=["de"])
    sizes: SizesView


class FlightView(BaseModel):
    """What a preflight found."""

    ok: bool = Field(examples=[True], description="Whether there is no error; warnings may be.")
    remarks: Sequence[RemarkView]
    spoken: Sequence[RehearsedVariantView]

    @classmethod
    def of(cls, flight: Flight) -> "FlightView":
        """Describe a preflight."""
        return cls(
            ok=not any(remark.finding.is_error for remark in flight.remarks),
            remarks=[RemarkView.of(one) for one in flight.remarks],
            spoken=[
                RehearsedVariantView(
                    variant=one.variant,
                    language=one.language,
                    sizes=_sizes(one.words.title or "", one.words.text or "", one.words.html or ""),
                )
                for one in flight.previews
            ],
        )


def _sizes(title: str, text: str, html: str) -> SizesView:
    sms = segments(text)
    return SizesView(
        title=len(title.encode()),
        text=len(text.encode()),
        html=len(html.encode()),
        sms_alphabet=sms.alphabet,
        sms_units=sms.units,
        sms_segments=sms.count,
    )

"""What a caller writes to have something sent again and again."""

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from api.v1.body import Body
from api.v1.fields import Duration, Instant, Language, TimeZone, UserId, Weekday, Word, as_field, bounded
from api.v1.schedules.notices import NOTICE_EXAMPLE, NoticeBody
from postroom.errors import Invalid
from postroom.schedules.models import Overlap
from postroom.schedules.recurrence import Recurrence
from postroom.schedules.terms import AUDIENCE, CATCH_UP_DEFAULT, Audience, Terms, Timetable

ATTRIBUTES = 10
Value = Annotated[str, Field(max_length=200)] | StrictBool | StrictInt | StrictFloat


class CalendarBody(Body):
    """A time of day, on every day that is among all the days named here."""

    hour: int = Field(ge=0, le=23, strict=True, examples=[9])
    minute: int = Field(default=0, ge=0, le=59, strict=True, examples=[0])
    days_of_week: list[Weekday] | None = Field(default=None, min_length=1, max_length=7, examples=[["mon"]])
    days_of_month: list[Annotated[int, Field(ge=1, le=31, strict=True)]] | None = Field(
        default=None, min_length=1, max_length=31, examples=[[1, 15]]
    )
    months: list[Annotated[int, Field(ge=1, le=12, strict=True)]] | None = Field(
        default=None, min_length=1, max_length=12
    )


class ScheduleAudienceBody(Body):
    """Who is told: people by name, all contacts, or the contacts with these attributes and this language."""

    user_ids: list[UserId] | None = Field(default=None, min_length=1, max_length=AUDIENCE)
    all: StrictBool = False
    attributes: Annotated[dict[Word, Value], AfterValidator(bounded("attributes"))] | None = Field(
        default=None, min_length=1, max_length=ATTRIBUTES, examples=[{"plan": "pro"}]
    )
    language: Language | None = None

    def audience(self) -> Audience:
        """Put an audience together.

        Raises:
            Invalid: it is named in several ways, or in none.
        """
        filtered = self.attributes is not None or self.language is not None
        if [self.user_ids is not None, self.all, filtered].count(True) != 1:
            detail = "Give user_ids, all, or attributes and language: one of the three."
            raise Invalid.at("/audience", "audience_required", detail)
        return Audience(self.user_ids, self.attributes, self.language)


def _cron(text: str) -> str:
    Recurrence.of_cron(text)
    return text


class ScheduleBody(Body):
    """A schedule as a whole."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "weekly news",
                    "message": NOTICE_EXAMPLE,
                    "audience": {"attributes": {"plan": "pro"}, "language": "fr"},
                    "cron": "0 9 * * mon",
                    "time_zone": "Europe/Paris",
                },
                {
                    "name": "first of the month",
                    "message": NOTICE_EXAMPLE,
                    "audience": {"all": True},
                    "calendar": {"hour": 9, "days_of_month": [1]},
                    "time_zone": "America/New_York",
                    "jitter": "PT10M",
                    "end_at": "2027-12-31T00:00:00Z",
                },
            ]
        },
    )

    name: Word
    message: NoticeBody
    audience: ScheduleAudienceBody
    cron: Annotated[str, AfterValidator(as_field(_cron))] | None = Field(
        default=None, description="Five fields: minute hour day month weekday.", examples=["0 9 * * mon-fri"]
    )
    calendar: CalendarBody | None = None
    time_zone: TimeZone = Field(default="UTC")
    jitter: Duration = Field(
        default=0, validate_default=True, description="Come up to so much later; at most 24 hours."
    )
    start_at: Instant | None = None
    end_at: Instant | None = None
    overlap: Overlap = Overlap.SKIP
    catch_up: Duration = Field(
        default=CATCH_UP_DEFAULT.total_seconds(),
        validate_default=True,
        description="How late a missed time is still made up for; between a minute and 7 days.",
    )

    def terms(self) -> Terms:
        """Put a schedule together.

        Raises:
            Invalid: its fields contradict each other.
        """
        return Terms(
            name=self.name,
            notice=self.message.notice("/message"),
            audience=self.audience.audience(),
            timetable=Timetable(self._recurrence(), self.time_zone, self.start_at, self.end_at),
            jitter=self.jitter,
            overlap=self.overlap,
            catch_up=self.catch_up,
        )

    def _recurrence(self) -> dict[str, Any]:
        if (self.cron is None) == (self.calendar is None):
            raise Invalid.at("/cron", "recurrence_required", "Give either cron or a calendar.")
        if self.calendar is None:
            return {"cron": self.cron}
        return {"calendar": self.calendar.model_dump(mode="json", exclude_none=True)}

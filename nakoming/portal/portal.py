"""The portal's parts together, as the routes use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from nakoming.agreement import in_words
from nakoming.portal import sight
from nakoming.portal.errors import FormForged
from nakoming.portal.limits import Buckets, Limits, Network, bucket_key, visitor
from nakoming.portal.views import Reading, kept_documents, load
from nakoming.records.documents import ALLOWED

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from nakoming.portal.filling import Filled, Problem
    from nakoming.portal.pages import Pages
    from nakoming.portal.passes import Pass, Passes
    from nakoming.portal.sight import Sight
    from nakoming.portal.waking import Waker
    from nakoming.records.store import Records


@dataclass
class Portal:
    """What every route needs."""

    records: Records
    passes: Passes
    pages: Pages
    waker: Waker
    secure: bool
    proxies: tuple[Network, ...]
    limits: Limits
    by_address: Buckets = field(init=False)
    by_customer: Buckets = field(init=False)
    lost_by_address: Buckets = field(init=False)
    lost_by_mailbox: Buckets = field(init=False)

    def __post_init__(self) -> None:
        self.by_address = Buckets(self.limits.address)
        self.by_customer = Buckets(self.limits.customer)
        self.lost_by_address = Buckets(self.limits.lost_by_address)
        self.lost_by_mailbox = Buckets(self.limits.lost_by_mailbox)

    def visitor(self, request: Request) -> str:
        """The visitor's address."""
        return visitor(request, self.proxies)

    def admit(self, request: Request) -> None:
        """Count a request against its address.

        Raises:
            TooManyRequests: it came too soon.
            FormForged: another site made the browser send it.
        """
        self.by_address.take(bucket_key(self.visitor(request)))
        if request.method == "POST" and request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            raise FormForged

    async def look(self, request: Request) -> Sight:
        """What the visitor of `/…/{link_id}` may see; `LinkUnknown` when that is nothing."""
        link_id = request.path_params["link_id"]
        cookie = request.cookies.get(self.cookie(link_id), "")
        return await run_in_threadpool(sight.look, self.records, self.passes, link_id, cookie)

    def cookie(self, link_id: str) -> str:
        """The name of the cookie of a link; on https bound to this host and path."""
        return f"__Host-nk-{link_id}" if self.secure else f"nk-{link_id}"

    def hand_over(self, response: Response, held: Pass, seconds: int) -> Response:
        """Give a pass to the browser. Lax: the visitor comes from a mail, which is another site."""
        response.set_cookie(
            self.cookie(held.link_id),
            self.passes.write(held),
            max_age=seconds,
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )
        return response

    def question_page(
        self,
        request: Request,
        seen: Sight,
        *,
        status: int = 200,
        notice: str | None = None,
        filled: Filled | None = None,
        problems: tuple[Problem, ...] = (),
    ) -> Response:
        """The page of a question as it stands: form, receipt, or closed; called in a worker thread."""
        words = self.pages.words(request, seen.link.contact.language)
        with self.records.read() as tx:
            view = load(tx, seen)
            kept = kept_documents(tx, self.passes, seen, filled.kept) if filled else []
        reading = Reading(view, words)
        sentences = [(problem.place, sentence(problem, reading)) for problem in problems]
        again = self.passes.again(seen.held, filled.sealed) if filled else None
        if any(problem.sentence == "word_expired" for problem in problems):
            again = None
        challenge = again or self.passes.challenge(seen.held, words.language, seen.now)
        template = "receipt" if view.mine else "question" if view.may_answer else "closed"
        due = view.gate.due_by
        return self.pages.page(
            request,
            words,
            f"{template}.html",
            status=status,
            here=f"/question/{seen.link.id}",
            view=view,
            reading=reading,
            notice=notice,
            filled=filled,
            kept=kept,
            sentences=[(place, text.replace("{word}", challenge.word)) for place, text in sentences],
            challenge=challenge,
            form_token=self.passes.form_token(seen.held),
            days_left=in_words.days_left(due, seen.now) if due else None,
            document_limit=self.records.document_limit,
            allowed_types=ALLOWED,
        )


def sentence(problem: Problem, reading: Reading) -> str:
    """A problem in the reader's words; `{word}` is left for the page to fill in."""
    language = reading.words.language
    values = {
        name: in_words.size_in_words(int(str(value)), language)
        if problem.sentence == "too_large" and name in {"size", "limit"}
        else value
        for name, value in problem.values.items()
    }
    if problem.labelled:
        values["field"] = reading.label(problem.labelled)
    return reading.words(f"problem.{problem.sentence}", **(values | {"word": "{word}"}))

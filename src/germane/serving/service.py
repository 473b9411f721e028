"""What the service does, in words that know no HTTP: a recommender that answers, a store that remembers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import times
from ..errors import NotFoundError, QueryError
from ..query_reader import is_number
from ..store import EventStore, Receipt
from ..types import Event, Query, Slate
from ..wire import EventLine, Flat, RewardLine, event_from_line, event_to_json, feedback_from_line
from .item_rows import ItemRows
from .unheld import unheld

if TYPE_CHECKING:
    from ..recommender import Recommender

__all__ = ["Service"]

Scored = list[tuple[str, float]]


class Service:
    """Every call of ``/v1`` as a method. Methods block and may be called from any thread."""

    def __init__(self, recommender: Recommender, store: EventStore) -> None:
        self.recommender = recommender
        self.store = store
        self._zone = store.zone = recommender.schema.timezone if recommender.schema is not None else None
        self._rows = ItemRows(recommender)
        self._changing = threading.Lock()  # of the catalogue: the model and the store change together
        self._meeting = threading.Lock()  # the same of people
        self._present: set[str] = set(recommender.catalogue.items["id"].to_list())
        self._people: set[str] = set()
        self._replay()
        recommender.warm()

    # Answers.

    def recommend(self, query: Query, *, n: int = 10, explain: bool = True, explore: bool = True) -> Slate:
        """Logged before it is returned, so that no reward can come for a slate that is not on disk."""
        now = times.now(self._zone)
        query = query.local(self._zone, now)
        (slate,) = self.recommender.recommend_many([query], n, explain=explain, explore=explore, now=now, degrade=True)
        self.store.add_slates([(slate, query)])
        return slate

    def recommend_many(self, asked: Sequence[tuple[Query, Mapping[str, Any]]]) -> list[Slate]:
        """Queries that want the same length and kind of slate are scored together; one log entry for all."""
        now = times.now(self._zone)
        queries = [query.local(self._zone, now) for query, _ in asked]
        groups: dict[tuple[int, bool, bool], list[int]] = {}
        for place, (_, extras) in enumerate(asked):
            groups.setdefault((extras.get("n", 10), extras.get("explain", True), extras.get("explore", True)), []).append(place)
        slates: dict[int, Slate] = {}
        for (n, explain, explore), places in groups.items():
            try:
                found = self.recommender.recommend_many([queries[i] for i in places], n, explain=explain, explore=explore, now=now, degrade=True)
            except QueryError:
                for i in places:  # again one by one, to say which
                    try:
                        self.recommender.check(queries[i])
                    except QueryError as error:
                        raise QueryError(f"queries[{i}]: {error}", f"queries[{i}]" + (f".{error.field}" if error.field else "")) from None
                raise
            slates.update(zip(places, found))
        in_order = [slates[i] for i in range(len(queries))]
        self.store.add_slates(list(zip(in_order, queries)))
        return in_order

    def similar(self, item: str, n: int, filter: Mapping[str, Any] | None) -> Scored:
        self._known(item)
        return self.recommender.similar(item, n, filter)

    # What happened.

    def add_events(self, events: Sequence[EventLine]) -> Receipt[EventLine]:
        receipt = self.store.add_events(events)
        for line in receipt.stored:
            self._record(line.user, event_from_line(line))
        return receipt

    def add_rewards(self, rewards: Sequence[RewardLine]) -> Receipt[RewardLine]:
        receipt = self.store.add_rewards(rewards)
        if receipt.stored:
            self.recommender.observe([feedback_from_line(line) for line in receipt.stored])
        return receipt

    # Items.

    def put_item(self, item: str, columns: Flat) -> bool:
        """True where the item was in no answer before. What cannot be read is not stored, and what cannot be stored is in no answer."""
        cells = self._rows.checked(item, columns)
        with self._changing:
            new = item not in self._present
            self.recommender.add_items(self._rows.frame([(item, cells)]), lambda: self.store.put_item(item, cells))
            self._present.add(item)
        return new

    def delete_item(self, item: str) -> None:
        with self._changing:
            self._known(item)
            self.store.delete_item(item)
            self.recommender.remove_item(item)
            self._present.discard(item)

    def look_up(self, items: Sequence[str]) -> list[dict[str, Any]]:
        """A title and the plain columns of each of these items that is known: the first of its text columns that says something, else its id."""
        codes, frame = self.recommender.catalogue.codes, self.recommender.catalogue.items
        found = []
        for item in items:
            row = codes.get(item, frame.height)
            if row < frame.height:  # the others come just now: their rows are not in this frame
                cells = {name: _shown(value) for name, value in frame.row(row, named=True).items() if name != "id"}
                title = next((str(cells[name]) for name in self.recommender.columns.text if cells.get(name)), item)
                found.append({"item": item, "title": title, "columns": {name: value for name, value in cells.items() if value is not None}})
        return found

    # People.

    def put_user(self, user: str, columns: Flat) -> bool:
        """What the model reads of it counts from the next answer on; the rest is kept for the next training."""
        known = user in self._people or bool(self.recommender.histories.of(user))
        with self._meeting:
            self.recommender.people.check({user: columns})  # first: what it refuses is not stored
            new = self.store.put_user(user, columns) and not known
            self.recommender.put_users({user: columns})
        self._people.add(user)
        return new

    def user(self, user: str, only: str | None = None) -> dict[str, Any]:
        """What is held: the history that answers read, and what the store has. ``only`` one of these parts."""
        if not self._is_held(user):
            raise NotFoundError(f"nothing is held of user {user!r}.")
        history = [event_to_json(entry) for entry in self.recommender.histories.of(user)]
        if only == "history":
            return {"user": user, "history": history}
        held = {"history": history, **self.store.held(user)}
        return {"user": user, **({only: held[only]} if only else held)}

    def users(self, prefix: str, limit: int) -> list[dict[str, Any]]:
        """Known users whose id begins so, short ids first (so that 2 comes before 10)."""
        known = {*self.recommender.histories.users(), *self._people}
        found = sorted((user for user in known if user.startswith(prefix)), key=lambda user: (len(user), user))[:limit]
        return [{"user": user, "events": len(self.recommender.histories.of(user))} for user in found]

    def erase(self, user: str) -> None:
        self.store.erase(user)
        self.recommender.forget(user)
        self._people.discard(user)

    # Itself.

    def versions(self) -> list[dict[str, Any]]:
        it = self.recommender
        return [{"version": it.version, "state": "serving", "model": type(it.model).__name__, "policy": type(it.policy).__name__}]

    def _replay(self) -> None:
        """What happened since the run was trained, from the store: nothing acknowledged is lost by a restart."""
        histories = self.recommender.histories
        for user in self.store.erased({*histories.users(), *self.recommender.people.codes}):
            self.recommender.forget(user)
        changes = list(self.store.items())
        put = [(item, self._rows.fitting(columns)) for item, columns in changes if columns is not None]
        if put:
            self.recommender.add_items(self._rows.frame(put))
            self._present.update(item for item, _ in put)
        for item, columns in changes:
            if columns is None and item in self._present:
                self.recommender.remove_item(item)
                self._present.discard(item)
        for stored in unheld(self.store.events_since(), histories, kinds=self.recommender.columns.kind is not None):
            self._record(stored.user, stored.event)
        people = dict(self.store.users())
        self._people.update(people)
        try:
            self.recommender.put_users(people)  # all at once: each call copies what is known of everybody
        except QueryError:  # some were put to another run, whose column of that name held something else: leave those out
            for user, columns in people.items():
                with contextlib.suppress(QueryError):
                    self.recommender.put_users({user: columns})

    def _record(self, user: str, event: Event) -> None:
        """Of an event's context, what the model does not know stays in the store."""
        columns = self.recommender.columns
        types = getattr(self.recommender, "types", {})
        numbers = {name for name in columns.moment if types.get(name) == "number"} | set(columns.place if len(columns.place) == 2 else ())
        context = {name: value for name, value in event.context.items() if name in columns.moment and (name not in numbers or is_number(value))}
        self.recommender.record(user, replace(event, context=context))

    def _known(self, item: str) -> None:
        if item not in self._present:
            raise NotFoundError(f"there is no item {item!r} in the catalogue.")

    def _is_held(self, user: str) -> bool:
        return user in self._people or bool(self.recommender.histories.of(user)) or any(self.store.held(user).values())


def _shown(value: Any) -> Any:
    """A cell for people: plain values as they are, short lists as text, nothing else."""
    if isinstance(value, str | bool | int) or (isinstance(value, float) and value == value):
        return value
    if isinstance(value, list) and len(value) <= 20 and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return None

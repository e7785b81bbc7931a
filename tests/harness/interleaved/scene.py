"""One run of a story: which moves are possible, and what each does.

A story says who takes part. Each client has its steps, each line of `others` is one more actor,
and every request that an origin hears becomes an actor too. While a loop has something to run, the
first choice is to let it: `early` is how many times something else may come first, so that the
number of orders stays in bounds. Without such, every move finds the workers at rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from headrace.store import PurgeRule
from headrace.store.layout import slice_file, slice_key
from tests.harness.interleaved.ground import Ground, disk_of
from tests.harness.interleaved.origin import Asked
from tests.harness.interleaved.record import PlayedClient, Purged, Record, Story
from tests.harness.interleaved.rules import check_end, check_moment
from tests.harness.interleaved.worker import PlayedWorker
from tests.harness.interleaving import Broken, Play
from tests.harness.memory_exchange import MemoryClient, MemoryExchange
from tests.harness.memory_network import Heard, OriginConnection

MOST_TURNS = 5_000
LONGEST_S = 200.0
OPERATIONS = (1, 2, 3, 4, 5, 6)
"""Before which of its store's operations a turn may be interrupted by another worker's."""
OTHERS_TURNS = 4
BY_STEPS = 3
"""So many requests are answered step by step, those after them each in one move."""


def playing(story: Story, ground: Ground) -> Callable[[], Play]:
    """Return what makes a run of a story."""
    return lambda: Scene(story, ground)


def playing_freely(story: Story, ground: Ground) -> Callable[[], Play]:
    """Return the same, with any number of moves between any two turns of the loops."""
    return playing(replace(story, early=1_000_000), ground)


@dataclass(eq=False)
class Scene(Record):
    """See the module."""

    def __post_init__(self) -> None:
        self.ground.clear()
        self.early_left = self.story.early
        self.current = 0
        self._disk = disk_of(self.trouble)
        self._disk.__enter__()
        self.workers = [
            PlayedWorker(number, self.ground, self.time, self.trouble, self._heard)
            for number in range(self.story.workers)
        ]
        self.clients = [PlayedClient(each, list(each.steps)) for each in self.story.clients]
        self.others = [list(line) for line in self.story.others]
        try:
            for name in self.story.before:
                self._do(name)
                while self._rest():
                    pass
        except BaseException:
            self.close()
            raise

    def _heard(self, worker: int, heard: Heard, connection: OriginConnection) -> None:
        number = len(self.asked)
        asked = Asked(number, worker, heard, connection, self.at, path=heard.target)
        answers = self.story.answers
        asked.actions = answers[min(number, len(answers) - 1)](asked, self.version)
        if number >= BY_STEPS:
            asked.actions = [("all", b"".join(data for _label, data in asked.actions))]
        self.asked.append(asked)

    # See `Play`.

    def choices(self) -> list[str]:
        ready = self._ready()
        moves = self._moves()
        if not ready:
            return moves
        if self.current not in ready:
            self.current = ready[0]
        first = f"turn {self.current}"
        if self.early_left <= 0:
            return [first]
        others = [number for number in ready if number != self.current]
        return [
            first,
            *(f"turn {number}" for number in others),
            *(
                f"turn {number} with {other} at {operation}"
                for number in ready
                for other in ready
                for operation in OPERATIONS
                if number != other
            ),
            *moves,
        ]

    def move(self, name: str) -> None:
        ready = self._ready()
        if ready and name != f"turn {self.current}":
            self.early_left -= 1
        self._do(name)
        check_moment(self)

    def finish(self) -> None:
        for played in self.clients:
            if played.exchange is not None and not played.exchange.outcome:
                played.exchange.read()
        until_s = self.time.now_s + LONGEST_S
        while not self._is_over():
            moved = self._rest()
            check_moment(self)
            if (not moved or self.time.now_s > until_s) and not self._is_over():
                waiting = [each.client.name for each in self.clients if _waits(each)]
                raise Broken("nobody waits for ever", f"{waiting or 'a task'}")
        self._rest()
        check_end(self)

    def close(self) -> None:
        for worker in sorted(self.workers, key=lambda each: not each.alive):
            worker.close(self.trouble)
        self._disk.__exit__(None, None, None)

    # What is possible.

    def _ready(self) -> list[int]:
        return [each.number for each in self.workers if each.alive and each.loop.is_ready]

    def _moves(self) -> list[str]:
        moves = []
        for played in self.clients:
            client = played.client
            if played.left and self.workers[client.worker].alive:
                begun = played.exchange is not None
                if begun and played.exchange is not None and played.exchange.outcome:
                    continue
                if begun or played.left[0] == "asks":
                    moves.append(f"{client.name} {played.left[0]}")
        moves += [
            f"origin {asked.number} {asked.actions[0][0]}"
            for asked in self.asked
            if asked.under_way and self.workers[asked.worker].alive
        ]
        moves += [line[0] for line in self.others if line]
        return moves

    def _is_over(self) -> bool:
        if any(_waits(each) for each in self.clients) or self._ready():
            return False
        return all(not each.edge.tasks._running for each in self.workers if each.alive)

    # What is done.

    def _do(self, name: str) -> None:
        self.at += 1
        who, _space, what = name.partition(" ")
        if who == "turn":
            self._turn(*(int(word) for word in what.split() if word.isdigit()))
        elif who == "origin":
            self.asked[int(what.split()[0])].act(self.time.now_s)
        elif (played := self._client(who)) is not None:
            self._client_does(played, what)
        else:
            for line in self.others:
                if line and line[0] == name:
                    line.pop(0)
                    break
            self._other_does(who, what.split())

    def _client(self, name: str) -> PlayedClient | None:
        return next((each for each in self.clients if each.client.name == name), None)

    def _turn(self, number: int, other: int = -1, operation: int = 0) -> None:
        """Turn a worker's loop. Before so many operations of its store another one's turns."""
        self.current = number
        worker = self.workers[number]
        left = operation

        def interrupt() -> None:
            nonlocal left
            left -= 1
            for _turn in range(OTHERS_TURNS if left == 0 else 0):
                if self.workers[other].loop.is_ready:
                    self.workers[other].loop.turn()

        if other >= 0 and self.workers[other].alive:
            worker.store.before = interrupt
        worker.loop.turn()
        worker.store.before = _nothing

    def _rest(self) -> bool:
        """Run everything that is ready; then let the origin do one thing, or time pass. False when
        there was nothing to wait for.
        """
        for _turn in range(MOST_TURNS):
            ready = self._ready()
            if not ready:
                break
            for number in ready:
                self._turn(number)
        else:
            raise Broken("loops come to rest", f"not in {MOST_TURNS} turns")
        under_way = [
            each for each in self.asked if each.under_way and self.workers[each.worker].alive
        ]
        if under_way and not self.story.silent:
            under_way[0].act(self.time.now_s)
            return True
        timers = [each.loop.next_timer_s for each in self.workers if each.alive]
        due = [timer for timer in timers if timer is not None]
        if not due or self._is_over():
            return False
        self.time.now_s = max(self.time.now_s, min(due))
        return True

    def _client_does(self, played: PlayedClient, what: str) -> None:
        client = played.client
        if played.left and played.left[0] == what:
            played.left.pop(0)
        worker = self.workers[client.worker]
        with worker.loop.inside():
            if what == "asks":
                played.at, played.asked_s = self.at, self.time.now_s
                lines = [f"{client.method} {client.path} HTTP/1.1", "Host: h", *client.fields]
                number = self.clients.index(played)
                connection = MemoryClient(
                    worker.handler, worker.loop, address=client.address or f"192.0.{number}.1"
                )
                exchange = MemoryExchange(connection, client.reads)
                played.exchange = exchange
                exchange.begin("\r\n".join([*lines, "", ""]).encode())
                return
            under_way = played.exchange
            assert under_way is not None
            if what == "leaves":
                played.is_gone = True
                under_way.leave()
            else:
                size = what.removeprefix("reads ")
                under_way.read(float("inf") if size == "all" else int(size))

    def _other_does(self, who: str, words: list[str]) -> None:
        match who, words:
            case "purges" | "softly-purges", _:
                self._purge(words, soft=who != "purges")
            case "kills", [number]:
                self._kill(int(number))
            case "disk", [kind]:
                self.trouble.kind = "" if kind == "well" else kind
            case "passes", [seconds]:
                self._pass(float(seconds))
            case "version", [number]:
                self.version = int(number)
            case "reloads", [number]:
                worker = self.workers[int(number)]
                if worker.alive:
                    worker.edge.adopt(self.ground.config, self.ground.services)
            case "drains", [number]:
                self.workers[int(number)].edge.draining = True
            case "evicts" | "truncates" | "removes", _:
                self._spoil(who)
            case _:
                raise AssertionError(f"no such move: {who} {words}")

    def _purge(self, words: list[str], *, soft: bool) -> None:
        kind, path = words[0], words[1] if len(words) > 1 else ""
        rule = PurgeRule("all", soft=soft)
        if kind == "url":
            rule = PurgeRule("url", self.ground.key_of(path), soft=soft)
        elif kind == "tag":
            rule = PurgeRule("tag", b"film", soft=soft)
        self.ground.opened.purge(rule, durable=False)
        if not soft:
            self.purges.append(Purged(self.at, path if kind == "url" else ""))

    def _kill(self, number: int) -> None:
        worker = self.workers[number]
        if not worker.alive:
            return
        self.were_killed = True
        worker.kill()
        for played in self.clients:
            if played.client.worker == number:
                played.is_gone = True

    def _pass(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        until_s = self.time.now_s + seconds
        for _timer in range(MOST_TURNS):
            while ready := self._ready():
                for number in ready:
                    self._turn(number)
            timers = [each.loop.next_timer_s for each in self.workers if each.alive]
            due = [timer for timer in timers if timer is not None and timer <= until_s]
            if not due:
                break
            self.time.now_s = max(self.time.now_s, min(due))
        self.time.now_s = until_s

    def _spoil(self, how: str) -> None:
        """Do something to the first slice of everything that is stored."""
        store = self.ground.opened
        for stored in store.list(b"", 10)[0]:
            if how == "evicts":
                for number in store.slices(stored):
                    with store.transaction() as transaction:
                        transaction.drop_slice(slice_key(stored.version, number))
            else:
                self.were_spoiled = True
                for number in store.slices(stored)[:1]:
                    path = f"{store.objects}/{slice_file(slice_key(stored.version, number))}"
                    if how == "truncates":
                        os.truncate(path, 4096)
                    else:
                        os.unlink(path)


def _nothing() -> None:
    return None


def _waits(played: PlayedClient) -> bool:
    exchange = played.exchange
    return exchange is not None and not exchange.outcome and not played.is_gone

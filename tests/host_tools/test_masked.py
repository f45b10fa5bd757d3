# SPDX-License-Identifier: MIT
"""host_tools/collector/masked.py: masked records, in whatever order, become the same rows, whose
sums take two look-ups; what is no masked record is refused, what overlaps is kept aside."""

import contextlib
import sqlite3
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.collector.coverage import MaskedReader
from host_tools.collector.keyring import Keyring
from host_tools.collector.masked import Masked, MaskedRecord, Outcome, add, subtract
from host_tools.collector.open_envelope import Opened, Refusal, open_envelope
from host_tools.collector.read_store import StoreReader, open_to_read
from host_tools.collector.store import Store
from host_tools.collector.store_file import VERSION
from host_tools.errors import ToolError
from host_tools.provisioning.ticket import make_ticket
from node.policy.rules import Policy
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_masks import Masks
from tests.host_tools.reference_policy import masked, policy, stream

NODE, OTHER = "0123456789", "abcdefghjk"
ROOT = bytes(range(32))
DAY0, DAY_S, QUARTER_S = 20_500, 86_400, 900
START_S = DAY0 * DAY_S
FIRST = START_S // QUARTER_S  # the slot of the first quarter of an hour
MODULUS = 1 << 64


def energy(resolution=1000, **options):
    limits = resolution, 0, 1_000_000
    return masked(7, "energy_mwh", QUARTER_S, ["count", "sum"], *limits, **options)


PLAIN = stream(1, "co2_ppm", 300, ["mean"], 10, 350, 5000)
POLICY, TERMS = policy(PLAIN, energy(), keep_days={1: 9, 7: 2})
NEXT, NEXT_TERMS = policy(PLAIN, energy(), version=2, keep_days=9)
OTHERWISE, OTHERWISE_TERMS = policy(PLAIN, energy(2000), version=3, keep_days=9)
ENERGY = Policy(POLICY).streams[1]


@pytest.fixture
def keyring(tmp_path):
    keyring = Keyring(tmp_path / "keyring.json")
    for node_id in (NODE, OTHER):
        keyring.add_node(make_ticket(ROOT, node_id, DAY0, [7]), POLICY, TERMS)
        keyring.add_policy(node_id, NEXT, NEXT_TERMS)
        keyring.add_policy(node_id, OTHERWISE, OTHERWISE_TERMS)
    return keyring


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.sqlite"


@pytest.fixture
def store(path, keyring):
    with Store(path, keyring) as store:
        yield store


def rows(path, query):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def kept(path):
    """[(node, first slot, slot after the last, c)] of the sums."""
    found = rows(path, "SELECT node, from_s, end_s, c FROM masked ORDER BY node, from_s")
    return [
        (node, a // QUARTER_S - FIRST, b // QUARTER_S - FIRST, c.hex()) for node, a, b, c in found
    ]


def told(path):
    return [row[0] for row in rows(path, "SELECT kind FROM event ORDER BY id")]


class Sender:
    """A node that masks stream 7, and measures slot + 1 readings of 100 · (slot + 1) steps."""

    def __init__(self, node_id=NODE, rules=POLICY, log=b"LOG0"):
        self.node = ref.ReferenceNode(ROOT, node_id, DAY0, rules, log)
        self.masks = Masks(ROOT, node_id, 7, DAY0, 2)

    def record(self, slot: int, first: int | None = None, total: int | None = None) -> list:
        """slot, first: counted from the node's first."""
        first = slot if first is None else first
        numbers = [slot + 1, 100 * (slot + 1) if total is None else total]
        span = [START_S + QUARTER_S * at for at in (first, slot + 1)]
        return [7, FIRST + slot, FIRST + first, self.masks.mask(numbers, *span)]

    def sealed(self, slot: int, first: int | None = None, total: int | None = None):
        """(topic, message) of the envelope at the end of this slot."""
        return self.seal_record(slot, self.record(slot, first, total))

    def seal_record(self, slot: int, record: list):
        end_s = START_S + QUARTER_S * (slot + 1)
        plain = [1, end_s // 300 - 1, 50]
        return self.node.topic, self.node.seal([plain, record], end_s)


def total_of(path, first, after, node_id=NODE):
    """What the masked values of a node add up to, unmasked by its own masks; None where they do
    not cover the slots."""
    span = START_S + QUARTER_S * first, START_S + QUARTER_S * after
    masks = Masks(ROOT, node_id, 7, DAY0, 2)
    with contextlib.closing(open_to_read(path)) as db:
        reader = MaskedReader(db, 7)
        if not reader.covering([node_id], [span]):
            assert reader.why_not(node_id, *span) is not None
            return None
        assert reader.why_not(node_id, *span) is None
        totals = reader.totals([node_id], span)
    ends = zip(totals, masks.at(span[0]), masks.at(span[1]), strict=True)
    return tuple((total - a + b) % MODULUS for total, a, b in ends)


def expected(slots):
    return sum(slot + 1 for slot in slots), sum(100 * (slot + 1) for slot in slots)


# what is kept


def test_any_range_of_a_node_adds_up(store, path):
    sender = Sender()
    store.take_batch([sender.sealed(slot) for slot in range(8)], START_S + 8 * QUARTER_S)
    for first in range(8):
        for after in range(first + 1, 9):
            assert total_of(path, first, after) == expected(range(first, after))
    assert rows(path, "SELECT count(*), count(DISTINCT segment) FROM masked") == [(8, 1)]
    assert rows(path, "SELECT count(*) FROM value WHERE stream = 7") == [(0,)]
    assert rows(path, "SELECT count(*) FROM value WHERE stream = 1") == [(8,)]


def test_a_gap_is_covered_by_who_reaches_over_it_and_else_ends_a_segment(store, path):
    sender = Sender()
    batch = [sender.sealed(0), sender.sealed(1), sender.sealed(4, first=2), sender.sealed(7)]
    store.take_batch(batch, START_S + 9 * QUARTER_S)
    assert [row[1:3] for row in kept(path)] == [(0, 1), (1, 2), (2, 5), (7, 8)]
    assert total_of(path, 0, 5) == expected([0, 1, 4])
    assert total_of(path, 2, 5) == expected([4])
    assert total_of(path, 7, 8) == expected([7])
    for first, after in ((0, 3), (3, 5), (0, 8), (5, 7), (4, 8), (8, 9)):
        assert total_of(path, first, after) is None


def test_a_record_that_tells_nothing_leaves_no_row(store, path):
    sender = Sender()
    now_s = START_S + 2 * QUARTER_S
    result = store.take_batch([sender.seal_record(1, [7, FIRST + 1, None, None])], now_s)
    assert result.opened == {NODE: 1}
    assert kept(path) == []


def test_a_late_record_joins_what_lies_on_both_sides(store, path):
    sender = Sender()
    batch = [sender.sealed(slot) for slot in range(9)]
    now_s = START_S + 9 * QUARTER_S
    store.take_batch([batch[0], *batch[2:]], now_s)
    assert rows(path, "SELECT count(DISTINCT segment) FROM masked") == [(2,)]
    before = rows(path, "SELECT * FROM masked WHERE from_s > (SELECT min(from_s) FROM masked)")
    store.take_batch([batch[1]], now_s)
    assert rows(path, "SELECT count(DISTINCT segment) FROM masked") == [(1,)]
    after = rows(path, "SELECT * FROM masked")
    assert set(before) <= set(after)  # the shorter side was renumbered
    assert total_of(path, 0, 9) == expected(range(9))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=12),
    st.lists(st.booleans(), min_size=12, max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_same_rows_in_any_order(lengths, missing, random):
    """Records of one to three slots, some of which never come, some twice."""
    records, at = [], 0
    for length, is_missing in zip(lengths, missing, strict=False):
        if not is_missing:
            c = random.randbytes(16)
            records.append(MaskedRecord(at * QUARTER_S, (at + length) * QUARTER_S, c))
        at += length
    arriving = records + records[::2]
    random.shuffle(arriving)
    with contextlib.closing(bare_tables()) as db:
        table = Masked(db)
        outcomes = [table.add(NODE, ENERGY, record, 1) for record in arriving]
        assert outcomes.count(Outcome.ADDED) == len(records)
        assert Outcome.ASIDE not in outcomes
        check_sums(db, records)


def bare_tables():
    from host_tools.collector.store_file import _MASKED, _SCHEMA

    db = sqlite3.connect(":memory:")
    db.executescript(_SCHEMA + _MASKED)
    for id, (rules, terms) in enumerate(((POLICY, TERMS), (NEXT, NEXT_TERMS)), 1):
        digest = Policy(rules).digest
        db.execute("INSERT INTO policy VALUES (?, ?, ?, ?)", (id, digest, rules, terms))
    return db


def check_sums(db, records):
    """All that a second hand adds up is what the table says, and nothing else is."""
    reader = MaskedReader(db, 7)
    found = db.execute("SELECT from_s, end_s, c FROM masked ORDER BY from_s").fetchall()
    records = sorted(records, key=lambda one: one.from_s)
    assert found == [(one.from_s, one.end_s, one.c) for one in records]
    borders = sorted({0}.union(*((one.from_s, one.end_s) for one in records)))
    for a in borders:
        for b in (later for later in borders if later > a):
            within = [one for one in records if a <= one.from_s and one.end_s <= b]
            whole = sum(one.end_s - one.from_s for one in within) == b - a
            assert bool(reader.covering([NODE], [(a, b)])) == whole
            assert (reader.why_not(NODE, a, b) is None) == whole
            if whole:
                columns = zip(*(numbers(one.c) for one in within), strict=True)
                sums = tuple(sum(column) % MODULUS for column in columns)
                assert reader.totals([NODE], (a, b)) == sums


def numbers(c):
    return [int.from_bytes(c[at : at + 8], "big") for at in range(0, len(c), 8)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), min_size=1, max_size=15))
def test_what_overlaps_is_kept_aside_and_nothing_is_lost(spans):
    records = [
        MaskedRecord(at * QUARTER_S, (at + length) * QUARTER_S, bytes([index] * 16))
        for index, (at, length) in enumerate(spans)
    ]
    with contextlib.closing(bare_tables()) as db:
        table = Masked(db)
        outcomes = [table.add(NODE, ENERGY, record, 1) for record in records]
        added = [one for one, how in zip(records, outcomes, strict=True) if how is Outcome.ADDED]
        check_sums(db, added)
        aside = db.execute("SELECT from_s, end_s, c FROM masked_aside").fetchall()
    assert sorted(aside + [(one.from_s, one.end_s, one.c) for one in added]) == sorted(
        (one.from_s, one.end_s, one.c) for one in records
    )
    taken = set()
    for one in added:
        slots = set(range(one.from_s, one.end_s, QUARTER_S))
        assert not taken & slots
        taken |= slots


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_sums_are_modulo_2_64(left, right):
    added = [(a + b) % MODULUS for a, b in zip(numbers(left), numbers(right), strict=True)]
    assert numbers(add(left, right)) == added
    assert subtract(add(left, right), right) == left


# overlaps


def test_an_old_flash_image_that_was_restored(store, path):
    """It masks a slot again, with another value: the first stays, and the rest of the envelope."""
    sender, again = Sender(), Sender(log=b"LOG1")
    now_s = START_S + 4 * QUARTER_S
    store.take_batch([sender.sealed(slot) for slot in range(3)], now_s)
    before = kept(path)
    batch = [again.sealed(slot, total=1) for slot in (3, 2)]
    result = store.take_batch([*batch, again.sealed(4, first=1)], now_s + QUARTER_S)
    assert result.opened == {NODE: 3}
    assert [state.upto for state in result.logs] == [3]  # so its node lets go of them
    assert kept(path)[:3] == before
    assert total_of(path, 0, 4)[0] == expected(range(4))[0]
    aside = rows(path, "SELECT from_s, end_s FROM masked_aside ORDER BY from_s")
    assert [(a // QUARTER_S - FIRST, b // QUARTER_S - FIRST) for a, b in aside] == [(1, 5), (2, 3)]
    assert told(path).count("masked ranges overlap") == 2
    assert rows(path, "SELECT count(*) FROM value WHERE stream = 1") == [(5,)]


def test_a_record_that_came_in_another_envelope_is_not_kept_twice(store, path):
    sender, again = Sender(), Sender(log=b"LOG1")
    now_s = START_S + QUARTER_S
    store.take_batch([sender.sealed(0)], now_s)
    before = rows(path, "SELECT * FROM masked")
    result = store.take_batch([again.sealed(0)], now_s)
    assert result.opened == {NODE: 1}
    assert rows(path, "SELECT * FROM masked") == before
    assert rows(path, "SELECT * FROM masked_aside") == []
    assert told(path)[-1] == "slot came again"


# definitions


def test_another_version_with_the_same_definition_goes_on(store, path):
    sender = Sender()
    batch = [sender.sealed(slot) for slot in range(2)]
    sender.node.policy = NEXT
    batch += [sender.sealed(slot) for slot in range(2, 4)]
    store.take_batch(batch, START_S + 4 * QUARTER_S)
    assert total_of(path, 0, 4) == expected(range(4))
    with contextlib.closing(open_to_read(path)) as db:
        reader = MaskedReader(db, 7)
        end_s = START_S + 4 * QUARTER_S
        versions = [
            {reader.policies[id].version for id in reader.policies_between(NODE, *span)}
            for span in (
                (START_S, end_s), (START_S, START_S + 2 * QUARTER_S),
                (START_S + 2 * QUARTER_S, end_s), (START_S + QUARTER_S, START_S + 3 * QUARTER_S),
            )
        ]  # fmt: skip
    assert versions == [{1, 2}, {1}, {2}, {1, 2}]


@pytest.mark.parametrize("order", ([0, 1, 2, 3], [3, 2, 1, 0], [0, 3, 1, 2]))
def test_another_definition_is_another_segment(store, path, order):
    sender = Sender()
    batch = [sender.sealed(slot) for slot in range(2)]
    sender.node.policy = OTHERWISE
    batch += [sender.sealed(slot) for slot in range(2, 4)]
    for index in order:
        store.take_batch([batch[index]], START_S + 4 * QUARTER_S)
    assert total_of(path, 0, 2) == expected(range(2))
    assert total_of(path, 2, 4) == expected(range(2, 4))
    assert total_of(path, 1, 3) is None
    with contextlib.closing(open_to_read(path)) as db:
        why = MaskedReader(db, 7).why_not(NODE, START_S, START_S + 4 * QUARTER_S)
    assert (why.reason, why.from_s) == ("redefined", START_S + 2 * QUARTER_S)


# what is refused


def refused(keyring, record, slot=1):
    topic, message = Sender().seal_record(slot, record)
    return open_envelope(keyring, topic.split("/")[1], message, START_S + 9 * QUARTER_S)


def test_what_is_no_masked_record(keyring):
    good = Sender().record(1)
    assert isinstance(refused(keyring, good), Opened)
    assert isinstance(refused(keyring, [7, FIRST + 1, None, None]), Opened)
    slot, first, c = good[1:]
    for wrong in (
        [7, slot, slot + 1, c],  # from after slot
        [7, slot, FIRST - 1, c],  # before the node's first day
        [7, slot, -1, c],
        [7, slot, first, c[:-1]],
        [7, slot, first, c[:8]],
        [7, slot, first, c.hex()[:16]],
        [7, slot, first, [1, 2]],
        [7, slot, first, None],
        [7, slot, None, c],
        [7, slot, True, c],
        [7, slot, str(first), c],
        [7, slot, first],
        [7, slot],
        [7, slot, first, c[:8], c[8:]],
        [7, slot, None],
        [1, slot, first, c],
        [8, slot, first, c],
        [7, slot - 1, first, c],
    ):
        outcome = refused(keyring, wrong)
        assert isinstance(outcome, Refusal) and outcome.reason == "records", wrong


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.none(), st.integers(0, 2**40), st.binary(max_size=16), st.booleans(),
            st.text(max_size=8),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_anything_in_the_place_of_a_masked_record(tmp_path_factory, fields):
    keyring = Keyring(tmp_path_factory.getbasetemp() / "any.json")
    if NODE not in keyring.node_ids():
        keyring.add_node(make_ticket(ROOT, NODE, DAY0, [7]), POLICY, TERMS)
    outcome = refused(keyring, [7, FIRST + 1, *fields])
    assert isinstance(outcome, (Opened, Refusal))
    if isinstance(outcome, Opened):
        first, c = fields
        assert (first is None and c is None) or (
            FIRST <= first <= FIRST + 1 and len(c) == 16 and isinstance(c, bytes)
        )


# several workers


def test_two_workers_deal_out_the_records(path, keyring):
    """Each has every second: whoever is first, all is one segment."""
    sender = Sender()
    batch = [sender.sealed(slot) for slot in range(24)]
    now_s = START_S + 24 * QUARTER_S
    trouble = []

    def work(own):
        try:
            with Store(path, Keyring(keyring.path)) as store:
                for at in range(0, len(own), 3):
                    store.take_batch(own[at : at + 3], now_s)
        except Exception as err:
            trouble.append(err)

    threads = [threading.Thread(target=work, args=(batch[start::2],)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert rows(path, "SELECT count(*), count(DISTINCT segment) FROM masked") == [(24, 1)]
    assert total_of(path, 0, 24) == expected(range(24))


# deleting


def test_what_is_kept_too_long_goes_and_later_sums_stay(store, path):
    sender = Sender()
    store.take_batch([sender.sealed(slot) for slot in range(8)], START_S + 8 * QUARTER_S)
    end_s = START_S + 3 * QUARTER_S + 2 * DAY_S  # of the third slot's two days
    store.delete_expired(end_s)
    assert [row[1] for row in kept(path)] == [2, 3, 4, 5, 6, 7]
    store.delete_expired(end_s + 1)
    assert [row[1] for row in kept(path)] == [3, 4, 5, 6, 7]
    for first in range(3, 8):
        assert total_of(path, first, 8) == expected(range(first, 8))
    assert total_of(path, 2, 8) is None
    (detail,) = rows(
        path, "SELECT detail FROM event WHERE kind = 'deleted' AND detail LIKE '%7 3'"
    )
    assert detail[0].split(" ")[1:] == ["7", "3"]


def test_nothing_that_is_left_tells_of_what_was_deleted(store, path):
    """The runs begin at random: of two stores that hold the same rows, their difference says
    nothing of rows that went. Were it the plain sum, the first run would give them away."""
    sender = Sender()
    batch = [sender.sealed(slot) for slot in range(4)]
    store.take_batch(batch, START_S + 4 * QUARTER_S)
    gone = [numbers(c) for (c,) in rows(path, "SELECT c FROM masked ORDER BY from_s LIMIT 2")]
    store.delete_expired(START_S + 2 * QUARTER_S + 2 * DAY_S + 1)
    ((c, run),) = rows(path, "SELECT c, run FROM masked ORDER BY from_s LIMIT 1")
    before = numbers(subtract(run, c))
    assert before != [sum(column) % MODULUS for column in zip(*gone, strict=True)]


def test_a_hole_that_deletion_leaves_parts_a_segment(path, keyring):
    """The middle goes earlier, since its policy keeps it for a shorter time."""
    longer, longer_terms = policy(PLAIN, energy(), id="longer", keep_days=90)
    short, short_terms = policy(PLAIN, energy(), version=2, id="shorter", keep_days=1)
    last, last_terms = policy(PLAIN, energy(), version=3, id="last", keep_days=90)
    keyring.add_node(make_ticket(ROOT, NODE, DAY0, [7]), longer, longer_terms)
    keyring.add_policy(NODE, short, short_terms)
    keyring.add_policy(NODE, last, last_terms)
    sender, batch = Sender(), []
    for slot, rules in enumerate([longer] * 3 + [short] * 2 + [last] * 3):
        sender.node.policy = rules
        batch.append(sender.sealed(slot))
    with Store(path, keyring) as store:
        store.take_batch(batch, START_S + 8 * QUARTER_S)
        assert total_of(path, 0, 8) == expected(range(8))
        runs = rows(path, "SELECT c, run FROM masked ORDER BY from_s")
        store.delete_expired(START_S + 3 * DAY_S)
        assert [row[1] for row in kept(path)] == [0, 1, 2, 5, 6, 7]
        assert total_of(path, 0, 8) is None
        assert total_of(path, 0, 3) == expected(range(3))
        assert total_of(path, 5, 8) == expected(range(5, 8))
        left = rows(path, "SELECT run FROM masked ORDER BY from_s")
        whole = subtract(subtract(runs[5][1], runs[5][0]), runs[2][1])  # of what went
        (before,), (after,) = left[2], left[3]
        assert subtract(subtract(after, runs[5][0]), before) != whole
        store.take_batch([], START_S + 3 * DAY_S)


def test_what_lies_aside_goes_as_well(store, path):
    sender, again = Sender(), Sender(log=b"LOG1")
    store.take_batch([sender.sealed(0), again.sealed(0, total=1)], START_S + QUARTER_S)
    assert rows(path, "SELECT count(*) FROM masked_aside") == [(1,)]
    store.delete_expired(START_S + QUARTER_S + 2 * DAY_S + 1)
    assert rows(path, "SELECT count(*) FROM masked_aside") == [(0,)]
    assert kept(path) == []


def test_what_comes_too_late_is_not_stored(store, path):
    result = store.take_batch([Sender().sealed(0)], START_S + 30 * DAY_S)
    assert result.opened == {NODE: 1}
    assert kept(path) == []
    assert "came too late" in told(path)


# the file


def as_before_masks(path):
    """A store as the version before made it."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TABLE masked; DROP TABLE masked_aside; PRAGMA user_version = 2;")


def test_a_store_of_before_is_read_as_it_is_and_brought_up_to_date_by_a_worker(path, keyring):
    Store(path, keyring).close()
    as_before_masks(path)
    with StoreReader(path) as reader:
        assert reader.series() == [] and reader.holdings() == [] and reader.masked() == []
    assert rows(path, "PRAGMA user_version") == [(2,)]
    sender = Sender()
    with Store(path, keyring) as store:
        store.take_batch([sender.sealed(0)], START_S + QUARTER_S)
    assert rows(path, "PRAGMA user_version") == [(VERSION,)]
    assert total_of(path, 0, 1) == expected([0])


def test_a_later_store_is_left_alone(path, keyring):
    Store(path, keyring).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(ToolError, match=f"version {VERSION + 1}"):
        Store(path, keyring)

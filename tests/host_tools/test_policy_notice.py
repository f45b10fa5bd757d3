# SPDX-License-Identifier: MIT
"""The page for the public: complete in itself, readable by everybody, and nothing in it can come
alive."""

import base64
import hashlib
import itertools
import re
import string
import tomllib

import pytest
import segno

from host_tools import cli
from host_tools.errors import ToolError
from host_tools.policy import phrases as phrases_module
from host_tools.policy.dpv import LEGAL_BASES, PURPOSES
from host_tools.policy.notice import notice
from host_tools.policy.phrases import Phrases, languages
from host_tools.policy.sentences import _ALWAYS, words
from node.drivers.registry import PARTS
from node.pipeline.health import HEALTH
from node.pipeline.quantities import QUANTITIES
from node.policy.form import MASKED_STATISTICS, STATISTICS
from tests.host_tools.notice_fixture import (
    HTML,
    POLICIES,
    found,
    inputs,
    made,
    parse,
    stream,
    text_of,
)

URL = "https://city.example/sensors/traffic?lamp=1&x=2"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style><b>",
    "{{ 7 * 7 }}{% raw %}",
    "{names}{0.__class__}",
    "&lt;b&gt; &amp;",
    "--><!-- ]]>",
)


@pytest.fixture(params=POLICIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def page(request):
    return notice(*inputs(request.param), url=URL)


def test_the_page_loads_and_runs_nothing(page):
    tree = parse(page)
    for element in tree.iter():
        name = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
        assert name not in ("script", "link", "img", "iframe", "object", "embed", "form", "base")
        for key, value in element.attrib.items():
            assert not key.startswith("on") and key not in ("src", "srcset", "style", "data")
            if key == "href":
                assert value == URL or re.fullmatch(r"#\w+|mailto:[\w@.-]+", value), value
    style = found(tree, "style")[0].text
    assert "url(" not in style and "@import" not in style
    csp = found(tree, "meta", http_equiv="Content-Security-Policy")[0].get("content")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert csp.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]


def test_the_page_has_landmarks_headings_in_order_and_names(page):
    tree = parse(page)
    assert tree.get("lang") == "en" and tree.get("dir") == "ltr"
    assert len(found(tree, "main")) == 1 and found(tree, "title")[0].text
    ids = [element.get("id") for element in found(tree, id=True)]
    assert len(ids) == len(set(ids))
    for element in found(tree, aria_labelledby=True):
        assert element.get("aria-labelledby") in ids
    for link in found(tree, "a"):
        target = link.get("href")
        assert text_of(link) and (target[0] != "#" or target[1:] in ids)
    for article in found(tree, "article"):
        levels = [int(e.tag[-1]) for e in article.iter() if re.fullmatch(HTML + "h[1-6]", e.tag)]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    for svg in tree.iter("{http://www.w3.org/2000/svg}svg"):
        assert svg.get("aria-hidden") == "true" or svg.get("role") == "img"


def test_each_language_is_one_article_and_the_switch_needs_no_script(page):
    tree = parse(page)
    articles = found(tree, "article")
    assert [article.get("lang") for article in articles] == ["en", "de"]
    for article in articles:  # each with the switch, which marks the language that one reads
        links = found(found(article, "nav")[0], "a")
        assert [(a.get("href"), a.get("lang"), text_of(a)) for a in links] == [
            ("#en", "en", "English"), ("#de", "de", "Deutsch"),
        ]  # fmt: skip
        marked = [a.get("lang") for a in links if a.get("aria-current") == "true"]
        assert marked == [article.get("lang")]
    assert ":target" in page


def test_one_language_alone_has_no_switch():
    tree = parse(notice(*inputs(POLICIES[0]), ["de"]))
    assert tree.get("lang") == "de" and not found(tree, "nav")
    assert [article.get("lang") for article in found(tree, "article")] == ["de"]


def test_the_page_names_the_policy_so_that_records_can_be_compared():
    policy, terms, kit = inputs(POLICIES[-1])
    tree = parse(notice(policy, terms, kit))
    for article in found(tree, "article"):
        text = text_of(article)
        assert policy.digest.hex() in text and policy.id in text
        assert article.get("data-digest") == policy.digest.hex()
        assert str(policy.version) in text and "2030" in text
        assert terms.controller_contact in text


@pytest.mark.parametrize("path", POLICIES, ids=str)
def test_the_sign_says_who_answers_why_and_who_gets_it_in_large_letters(path):
    policy, terms, kit = inputs(path)
    page = notice(policy, terms, kit)
    tree = parse(page)
    for article in found(tree, "article"):
        language = article.get("lang")
        foot = found(found(article, **{"class": "foot"})[0], "dd")
        large = [text_of(e) for e in foot if "ask" in e.get("class", "").split()]
        assert large[:2] == [terms.controller_name[language], terms.controller_contact]
        for of in terms.streams.values():
            assert Phrases(language).purpose(of.purpose) in large[2]
            assert all(text[language] in large[3] for text in of.recipients)
    style = found(tree, "style")[0].text
    on_screen, printed = style.split("@media print {")
    assert ".sign { display: none; }" in on_screen and ".sign" not in printed
    size = re.search(r"\.ask \{ font-size: (\d+)pt;", printed)
    assert int(size[1]) >= 14


def test_the_qr_code_is_that_of_the_address():
    tree = parse(notice(*inputs(POLICIES[0]), url=URL))
    assert [text_of(a) for a in found(tree, "a", href=URL)] == [URL, URL]
    codes = [svg for svg in tree.iter("{http://www.w3.org/2000/svg}svg") if svg.get("role")]
    size = segno.make(URL, error="m").symbol_size(border=4)[0]
    assert len(codes) == 2 and codes[0].get("viewBox") == f"0 0 {size} {size}"
    assert text_of(codes[0]) == Phrases("en").take("page", "scan")
    assert not [
        svg for svg in parse(notice(*inputs(POLICIES[0]))).iter() if svg.get("role") == "img"
    ]


@pytest.mark.parametrize("url", [
    "http://city.example/", "javascript:alert(1)", "https://city.example/\n",
    "https://a b.example", 'https://city.example/"><script>', "https://city.example/" + "a" * 600,
])  # fmt: skip
def test_an_address_that_is_no_page_is_refused(url):
    with pytest.raises(ToolError, match="QR code"):
        notice(*inputs(POLICIES[0]), url=url)


# --- nothing from a policy comes alive


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_shown_and_stay_text(text):
    plain = parse(notice(*made(stream())))
    tree = parse(notice(*made(stream(), texts=text, id=text, contact=text)))
    without_link = [e.tag for e in plain.iter() if not e.get("href", "").startswith("mailto:")]
    assert [element.tag for element in tree.iter()] == without_link
    shown = " ".join(text.split())
    assert text_of(found(tree, "h1")[0]) == shown
    assert shown in text_of(found(tree, "title")[0])
    assert text_of(found(tree, "article")[0]).count(shown) >= 5
    assert found(tree, "article")[0].get("data-policy") == text


@pytest.mark.parametrize("contact", [
    "javascript:alert(1)", "https://city.example/\"onclick=\"x", "a@b.example?bcc=c@d.example",
    "https://city.example@evil.example/",
])  # fmt: skip
def test_a_contact_that_is_no_plain_address_becomes_no_link(contact):
    tree = parse(notice(*made(stream(), contact=contact)))
    assert all(link.get("href")[0] == "#" for link in found(tree, "a"))
    assert contact in text_of(tree)


def test_an_https_contact_is_a_link():
    tree = parse(notice(*made(stream(), contact="https://city.example/privacy")))
    assert found(tree, "a", href="https://city.example/privacy")


# --- colours


def _luminance(colour: str) -> float:
    colour = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_wcag_aa_in_each_scheme(page):
    style = found(parse(page), "style")[0].text
    lists = re.findall(r":root \{([^}]*--paper[^}]*)\}", style)
    schemes = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", colours)) for colours in lists]
    assert len(schemes) == 3  # light, dark, print
    for colours in schemes:
        for text in ("ink", "quiet", "accent"):
            for ground in ("paper", "card"):
                assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for text in ("ink", "never"):
            assert _contrast(colours[text], colours["never-paper"]) >= 4.5
    rest = re.sub(r":root \{[^}]*\}", "", style)
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", rest)) == {"#fff"}  # below the QR code


# --- words


def _fields(phrase) -> set:
    lines = [phrase] if isinstance(phrase, str) else phrase if isinstance(phrase, list) else [
        *phrase.values()
    ]  # fmt: skip
    return {field for line in lines for _, field, _, _ in string.Formatter().parse(line) if field}


@pytest.mark.parametrize("language", languages())
def test_a_language_is_whole(language):
    english, other = (
        tomllib.loads((phrases_module._FOLDER / f"{one}.toml").read_text("utf-8"))
        for one in ("en", language)
    )
    assert set(english) == set(other)
    for section, lines in english.items():
        names = set(lines) - {"locale"}
        assert names == set(other[section]) - {"locale"}
        for key in names:
            assert _fields(other[section][key]) == _fields(lines[key]), (section, key)
            assert type(other[section][key]) is type(lines[key]), (section, key)


@pytest.mark.parametrize("language", languages())
def test_a_language_has_words_for_all_that_can_be_said(language):
    phrases = Phrases(language)
    for quantity in QUANTITIES:
        assert phrases.quantity(quantity)
    for statistic in (*STATISTICS, *MASKED_STATISTICS):
        assert phrases.take("statistic", statistic)
    for term in PURPOSES:
        assert phrases.purpose(term) != term
    for term in LEGAL_BASES:
        assert phrases.legal_basis(term) != term
    senses = [key for _, keys in PARTS.values() for key in keys]
    for key in (*senses, *_ALWAYS, *[key for keys in _ALWAYS.values() for key in keys]):
        assert phrases.take("never", key)


def test_numbers_are_sentences_of_their_language():
    en, de = Phrases("en"), Phrases("de")
    assert [en.every(s) for s in (60, 3600, 86_400, 30, 900, 90)] == [
        "Every minute", "Every hour", "Once a day", "Every 30 seconds", "Every 15 minutes",
        "Every 90 seconds",
    ]  # fmt: skip
    assert en.value("vehicles", 1) == "1\u00a0vehicle"
    assert en.value("vehicles", -1) == "−1\u00a0vehicle"
    assert en.value("vehicles", 1000) == "1,000\u00a0vehicles"
    assert de.value("vehicles", 1000) == "1.000\u00a0Fahrzeuge"
    assert en.value("people_leftward", 0) == "0\u00a0people"
    assert de.value("temperature_mc", -12_300) == "−12,3\u00a0°C"
    assert en.value("energy_mwh", 25_000_000) == "25\u00a0kWh"
    assert en.value("energy_mwh", 999_000) == "999\u00a0Wh"
    assert en.value("power_factor_permille", 10) == "0.01"
    assert (en.days(1), en.days(2), de.days(1), de.days(400)) == (
        "1 day", "2 days", "1 Tag", "400 Tage",
    )  # fmt: skip


def test_a_policy_in_a_language_without_phrases_is_told_how_to_get_them():
    with pytest.raises(ToolError, match="no phrases in 'eo'") as err:
        notice(*made(stream(), languages=("eo",)))
    assert "en.toml" in err.value.hint
    with pytest.raises(ToolError, match="no texts in 'fr'"):
        notice(*made(stream()), ["fr"])


def test_a_language_is_added_by_a_file(monkeypatch, tmp_path):
    text = (phrases_module._FOLDER / "en.toml").read_text("utf-8")
    text = text.replace('locale = "en-GB"', "")
    text = text.replace("What never leaves", "Ce qui ne sort jamais")
    (tmp_path / "fr.toml").write_text(text, "utf-8")
    monkeypatch.setattr(phrases_module, "_FOLDER", tmp_path)
    tree = parse(notice(*made(stream(), languages=("fr",))))
    assert tree.get("lang") == "fr" and "Ce qui ne sort jamais" in text_of(tree)
    assert "5\u202f000" in "".join(tree.itertext())  # as French writes it


# --- what is said is true of this policy and this kit


def test_a_policy_that_sends_each_reading_does_not_say_that_they_stay():
    """The loop is asked every 15 s: a window of as much is the reading itself."""
    keys = [key for key, _, _ in words(*made(stream(window_s=900)), "en").never]
    assert "readings" in keys
    keys = [key for key, _, _ in words(*made(stream(window_s=15)), "en").never]
    assert "readings" not in keys


@pytest.mark.parametrize("path", POLICIES, ids=str)
def test_what_is_measured_and_not_named_is_listed_as_never_leaving(path):
    policy, terms, kit = inputs(path)
    never = words(policy, terms, kit, "en").never
    listed = [quantity for _, _, names in never for quantity in names]
    named = [stream.quantity for stream in policy.streams]
    assert sorted(set(listed) | set(named)) == sorted(kit.intervals_s())
    assert not set(listed) & set(named)


def test_only_a_kit_with_radar_speaks_of_radar():
    for path in POLICIES:
        policy, terms, kit = inputs(path)
        keys = [key for key, _, _ in words(policy, terms, kit, "en").never]
        assert ("positions" in keys) == ("ld2450" in path.with_name("kit.json").read_text())


@pytest.mark.parametrize(
    ("sensed", "said", "not_said"),
    [("sound", "images_alone", "images"), ("addresses", "identity_else", "identity")],
)
def test_a_kit_that_hears_does_not_say_that_it_cannot(monkeypatch, sensed, said, not_said):
    monkeypatch.setitem(PARTS, "ld2450", ("LD2450", (sensed,)))
    keys = [key for key, _, _ in words(*made(stream()), "en").never]
    assert sensed in keys and said in keys and not_said not in keys


def kept_by(kit):
    path = next(path for path in POLICIES if path.parent.name == kit)
    return {key: text for key, text, _ in words(*inputs(path), "en").never}


def test_a_radio_that_hears_addresses_hears_those_of_cars_and_watches_too():
    kept = kept_by("crowd")
    told = kept["addresses"] + kept["identity_else"]
    assert "cars" in kept["addresses"]
    for false in ("No sensor here can read", "identifiers of vehicles", "changing"):
        assert false not in told


def test_a_radar_that_can_tell_the_mean_speed_says_so():
    assert "mean speed of three or more" in kept_by("traffic-radar")["traffic"]


def test_a_quantity_that_the_kit_does_not_measure_gets_no_notice():
    with pytest.raises(ToolError, match="co2_ppm"):
        notice(*made(stream(quantity="co2_ppm", low=350)))


def test_health_alone_makes_a_page():
    tree = parse(notice(*made(stream(quantity=HEALTH[0], statistics=("last",), window_s=3600))))
    assert found(tree, "details", open=True)


def test_a_total_that_could_give_parts_away_is_told_as_withheld():
    one = words(*made(stream(k=10), stream(2, window_s=3600, k=10)), "en").streams
    assert "worked out" not in one[0].fact("k") and "worked out" in one[1].fact("k")


# --- the command


def test_the_command_writes_the_page(tmp_path, capsys):
    target = tmp_path / "notice.html"
    args = ["policy", "notice", str(POLICIES[0]), "--lang", "de", "--url", URL, "-o", str(target)]
    assert cli.run(args) == 0
    assert parse(target.read_text("utf-8")).get("lang") == "de"
    assert capsys.readouterr().out.startswith(str(target))
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_failed_command_leaves_no_file(tmp_path, capsys):
    target = tmp_path / "notice.html"
    for args in (["--lang", "fr"], ["--url", "http://x"], ["--kit", "traffic"], ["--kit", "none"]):
        assert cli.run(["policy", "notice", str(POLICIES[0]), "-o", str(target), *args]) == 1
        assert "hint:" in capsys.readouterr().err
    target = tmp_path / "no" / "notice.html"
    assert cli.run(["policy", "notice", str(POLICIES[0]), "-o", str(target)]) == 1
    assert not list(tmp_path.iterdir())

"""How dates are written in twelve languages: facts of CLDR 47, by tests/oracles/make_cldr.py.

A pattern is a format string, whose fields have the letters of the CLDR: y is the year, d the day, M the month, E the
weekday (L and c the same where they stand alone). From three letters on a month is a name; so is every weekday.

Copyright © 2004-2025 Unicode, Inc. Under the Unicode License v3, which is the file LICENSE.unicode.
"""

# fmt: off
PATTERNS = {
    "en_US": ("{EEEE}, {MMMM} {d}, {y}", "{MMMM} {d}, {y}", "{MMM} {d}, {y}", "{E}, {MMM} {d}, {y}"),
    "en_GB": (
        "{EEEE}, {d} {MMMM} {y}", "{d} {MMMM} {y}", "{d} {MMM} {y}", "{EEEE}, {d} {MMM} {y}",
        "{E}, {d} {MMM} {y}"),
    "fr": ("{EEEE} {d} {MMMM} {y}", "{d} {MMMM} {y}", "{d} {MMM} {y}", "{E} {d} {MMM} {y}"),
    "de": ("{EEEE}, {d}. {MMMM} {y}", "{d}. {MMMM} {y}", "{E}, {d}. {MMM} {y}", "{d}. {MMM} {y}"),
    "es": (
        "{EEEE}, {d} de {MMMM} de {y}", "{d} de {MMMM} de {y}", "{d} {MMM} {y}", "{E}, {d} {MMM} {y}",
        "{E}, {d} de {MMMM} de {y}"),
    "it": ("{EEEE} {d} {MMMM} {y}", "{d} {MMMM} {y}", "{d} {MMM} {y}", "{E} {d} {MMM} {y}"),
    "pt": (
        "{EEEE}, {d} de {MMMM} de {y}", "{d} de {MMMM} de {y}", "{d} de {MMM} de {y}",
        "{E}, {d} de {MMM} de {y}", "{E}, {d} de {MMMM} de {y}"),
    "sv": (
        "{EEEE} {d} {MMMM} {y}", "{d} {MMMM} {y}", "{d} {MMM} {y}", "{E}, {y}-{MM}-{dd}",
        "{E} {d} {MMM} {y}", "{y}-{MM}-{dd}"),
    "pl": (
        "{EEEE}, {d} {MMMM} {y}", "{d} {MMMM} {y}", "{d} {MMM} {y}", "{E}, {d} {MMM} {y}",
        "{E}, {d} {MMMM} {y}"),
    "hu": (
        "{y}. {MMMM} {d}., {EEEE}", "{y}. {MMMM} {d}.", "{y}. {MMM} {d}.", "{y}. {MM}. {dd}., {E}",
        "{y}. {MMM} {d}., {E}", "{y}. {MM}. {dd}."),
    "ru": ("{EEEE}, {d} {MMMM} {y} г.", "{d} {MMMM} {y} г.", "{d} {MMM} {y} г.", "{E}, {d} {MMM} {y} г."),
    "el": ("{EEEE} {d} {MMMM} {y}", "{d} {MMMM} {y}", "{d} {MMM} {y}", "{E} {d} {MMM} {y}"),
}
NAMES = {
    "en_US": {
        "E": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        "EEEE": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        "MMM": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
        "MMMM": (
            "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
            "November", "December"),
    },
    "en_GB": {
        "E": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        "EEEE": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        "MMM": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec"),
        "MMMM": (
            "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
            "November", "December"),
    },
    "fr": {
        "E": ("lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."),
        "EEEE": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        "MMM": ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."),
        "MMMM": (
            "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
            "novembre", "décembre"),
    },
    "de": {
        "E": ("Mo.", "Di.", "Mi.", "Do.", "Fr.", "Sa.", "So."),
        "EEEE": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
        "MMM": ("Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."),
        "MMMM": (
            "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
            "November", "Dezember"),
    },
    "es": {
        "E": ("lun", "mar", "mié", "jue", "vie", "sáb", "dom"),
        "EEEE": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
        "MMM": ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sept", "oct", "nov", "dic"),
        "MMMM": (
            "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
            "noviembre", "diciembre"),
    },
    "it": {
        "E": ("lun", "mar", "mer", "gio", "ven", "sab", "dom"),
        "EEEE": ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"),
        "MMM": ("gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic"),
        "MMMM": (
            "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre",
            "ottobre", "novembre", "dicembre"),
    },
    "pt": {
        "E": ("seg.", "ter.", "qua.", "qui.", "sex.", "sáb.", "dom."),
        "EEEE": ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"),
        "MMM": ("jan.", "fev.", "mar.", "abr.", "mai.", "jun.", "jul.", "ago.", "set.", "out.", "nov.", "dez."),
        "MMMM": (
            "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro",
            "novembro", "dezembro"),
    },
    "sv": {
        "E": ("mån", "tis", "ons", "tors", "fre", "lör", "sön"),
        "EEEE": ("måndag", "tisdag", "onsdag", "torsdag", "fredag", "lördag", "söndag"),
        "MMM": ("jan.", "feb.", "mars", "apr.", "maj", "juni", "juli", "aug.", "sep.", "okt.", "nov.", "dec."),
        "MMMM": (
            "januari", "februari", "mars", "april", "maj", "juni", "juli", "augusti", "september", "oktober",
            "november", "december"),
    },
    "pl": {
        "E": ("pon.", "wt.", "śr.", "czw.", "pt.", "sob.", "niedz."),
        "EEEE": ("poniedziałek", "wtorek", "środa", "czwartek", "piątek", "sobota", "niedziela"),
        "MMM": ("sty", "lut", "mar", "kwi", "maj", "cze", "lip", "sie", "wrz", "paź", "lis", "gru"),
        "MMMM": (
            "stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września",
            "października", "listopada", "grudnia"),
    },
    "hu": {
        "E": ("H", "K", "Sze", "Cs", "P", "Szo", "V"),
        "EEEE": ("hétfő", "kedd", "szerda", "csütörtök", "péntek", "szombat", "vasárnap"),
        "MMM": ("jan.", "febr.", "márc.", "ápr.", "máj.", "jún.", "júl.", "aug.", "szept.", "okt.", "nov.", "dec."),
        "MMMM": (
            "január", "február", "március", "április", "május", "június", "július", "augusztus", "szeptember",
            "október", "november", "december"),
    },
    "ru": {
        "E": ("пн", "вт", "ср", "чт", "пт", "сб", "вс"),
        "EEEE": ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"),
        "MMM": ("янв.", "февр.", "мар.", "апр.", "мая", "июн.", "июл.", "авг.", "сент.", "окт.", "нояб.", "дек."),
        "MMMM": (
            "января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября",
            "ноября", "декабря"),
    },
    "el": {
        "E": ("Δευ", "Τρί", "Τετ", "Πέμ", "Παρ", "Σάβ", "Κυρ"),
        "EEEE": ("Δευτέρα", "Τρίτη", "Τετάρτη", "Πέμπτη", "Παρασκευή", "Σάββατο", "Κυριακή"),
        "MMM": ("Ιαν", "Φεβ", "Μαρ", "Απρ", "Μαΐ", "Ιουν", "Ιουλ", "Αυγ", "Σεπ", "Οκτ", "Νοε", "Δεκ"),
        "MMMM": (
            "Ιανουαρίου", "Φεβρουαρίου", "Μαρτίου", "Απριλίου", "Μαΐου", "Ιουνίου", "Ιουλίου", "Αυγούστου",
            "Σεπτεμβρίου", "Οκτωβρίου", "Νοεμβρίου", "Δεκεμβρίου"),
    },
}

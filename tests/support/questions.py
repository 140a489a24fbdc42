"""Questions from public trackers: where each was asked, what one types into a search box, the page that answers."""

from __future__ import annotations

from typing import Final, NamedTuple


class Question(NamedTuple):
    """One of them."""

    asked_at: str
    words: str
    page: str


QUESTIONS: Final = (
    Question("https://github.com/sdgathman/pymilter/issues/51", "hook into postfix", "howto/postfix"),
    Question("https://github.com/sdgathman/pymilter/issues/53", "install pymilter", "tutorial/01-install"),
    Question("https://github.com/sdgathman/pymilter/issues/59", "permissions socket", "howto/sockets"),
    Question("https://github.com/sdgathman/pymilter/issues/63", "quarantine", "howto/quarantine"),
    Question("https://github.com/crustymonkey/python-libmilter/issues/5", "filter not called", "howto/why-not-called"),
    Question("https://github.com/crustymonkey/python-libmilter/issues/1", "asyncio", "howto/async"),
    Question("https://github.com/gertvdijk/purepythonmilter/issues/18", "hold messages", "howto/quarantine"),
    Question("https://github.com/nightcode/jmilter/issues/11", "reject single recipients", "howto/reject-recipient"),
    Question("https://github.com/nightcode/jmilter/issues/14", "how long state lives", "explanation/state"),
    Question("https://github.com/nightcode/jmilter/issues/24", "who sent address", "howto/client-address"),
    Question("https://github.com/phalaaxx/milter/issues/25", "DKIM sign", "howto/dkim"),
    Question("https://github.com/avar/sendmail-pmilter/issues/5", "non_smtpd_milters bounces", "howto/postfix"),
    Question("https://github.com/d--j/go-milter/issues/31", "what verdict ends", "explanation/callbacks"),
    Question("https://github.com/emersion/go-milter/issues/31", "change header", "howto/headers"),
    Question("https://github.com/trusteddomainproject/OpenDKIM/issues/148", "delete header", "howto/headers"),
    Question(
        "https://github.com/sovereign/sovereign/issues/754", "Authentication-Results", "howto/authentication-results"
    ),
    Question("https://github.com/mailcow/mailcow-dockerized/issues/4267", "disclaimer", "howto/disclaimer"),
    Question("https://github.com/vstakhov/rmilter/issues/39", "socket chroot", "howto/sockets"),
    Question("https://github.com/vstakhov/rmilter/issues/87", "ClamAV", "howto/clamav"),
    Question("https://github.com/fumail/fuglu/issues/78", "many processes", "reference/operating"),
    Question("https://github.com/iij/yenma/issues/12", "stopping", "explanation/stopping"),
    Question("https://github.com/vstakhov/rmilter/issues/25", "signals threads", "explanation/threads"),
)

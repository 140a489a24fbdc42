"""The unit tests of a classic program, as they are written for pymilter 1.0.5; run from this folder."""
# mypy: ignore-errors
# ruff: noqa: PT009, I001

import sys
import unittest
from io import BytesIO

import Milter
from Milter.test import TestBase
from Milter.testctx import TestCtx
from sample import Sample

HAM = b"From: a@example.org\nSubject: lunch\n\nat noon?\n"
SPAM = b"From: a@example.org\nSubject: cheap viagra\n\nbuy\n"


class MixedIn(TestBase, Sample):
    def __init__(self):
        TestBase.__init__(self, sys.argv[1])
        Sample.__init__(self)
        self.setsymval("j", "mail.example.com")


class WithContext(unittest.TestCase):
    def setUp(self):
        Milter.factory = Sample

    def test_ham(self):
        ctx = TestCtx()
        self.assertEqual(ctx._connect("client.example.com", helo="client"), Milter.CONTINUE)
        self.assertEqual(ctx.getpriv().helo, "client")
        self.assertEqual(ctx._feedFile(BytesIO(HAM)), Milter.CONTINUE)
        self.assertFalse(ctx._bodyreplaced)
        self.assertTrue(ctx._headerschanged)
        self.assertEqual(ctx._msg["x-size"], "44")
        self.assertEqual(ctx._body.getvalue(), HAM)
        self.assertEqual(ctx._sender, "<spam@adv.com>")
        self.assertEqual((ctx._addrcpt, ctx._delrcpt), ([], []))
        self.assertIsNone(ctx._reply)
        ctx._close()

    def test_spam(self):
        ctx = TestCtx()
        self.assertEqual(ctx._connect(), Milter.CONTINUE)
        self.assertEqual(ctx._feedFile(BytesIO(SPAM)), Milter.CONTINUE)
        self.assertTrue(ctx._bodyreplaced)
        self.assertEqual(ctx._body.getvalue().partition(b"\n\n")[2], b"It was spam.\n")
        self.assertEqual(ctx._addrcpt, [("<spam@example.net>", None)])
        self.assertEqual(ctx._delrcpt, ["<victim@lamb.com>"])
        self.assertEqual(ctx._sender, "<filter@example.org>")
        ctx._close()

    def test_refused_recipient(self):
        ctx = TestCtx()
        ctx._connect()
        self.assertEqual(ctx._feedFile(BytesIO(HAM), "a@example.org", "nobody@example.net"), Milter.REJECT)
        self.assertEqual(ctx._reply, ("550", "5.1.1", "no such user"))

    def test_a_step_that_is_not_answered(self):
        ctx = TestCtx()
        ctx._connect()
        ctx._envfrom("<a@example.org>")
        self.assertEqual(ctx._header("Subject", "lunch"), Milter.CONTINUE)
        self.assertEqual(ctx._header("Subject", "lunch"), Milter.NOREPLY)
        self.assertEqual(ctx.getpriv().header("Subject", "lunch"), Milter.NOREPLY)

    def test_macros_that_are_not_in_the_list(self):
        ctx = TestCtx()
        ctx._setsymval("{auth_authen}", "joe")
        ctx._setsymval("{mail_mailer}", "esmtp")
        ctx._connect()
        ctx._envfrom("<a@example.org>")
        self.assertEqual((ctx.getpriv().login, ctx.getpriv().mailer), ("joe", None))

    def test_refused_client(self):
        self.assertEqual(TestCtx()._connect("bad.example"), Milter.REJECT)

    def test_step_by_step(self):
        ctx = TestCtx()
        ctx._setsymval("i", "QID")
        ctx._connect()
        self.assertEqual(ctx._envfrom("<a@example.org>", "SIZE=5"), Milter.CONTINUE)
        self.assertEqual(ctx._envrcpt("<b@example.net>"), Milter.CONTINUE)
        self.assertEqual(ctx._header("Subject", "cheap viagra"), Milter.CONTINUE)
        self.assertTrue(ctx.getpriv().spam)
        self.assertEqual(ctx._eoh(), Milter.CONTINUE)
        self.assertEqual(ctx._feed_body(BytesIO(b"body")), Milter.CONTINUE)
        ctx._abort()


class WithBase(unittest.TestCase):
    def test_spam(self):
        milter = MixedIn()
        self.assertEqual(milter.connect(), Milter.CONTINUE)
        self.assertEqual(milter.feedFile(BytesIO(SPAM)), Milter.CONTINUE)
        self.assertTrue(milter._bodyreplaced)
        self.assertEqual(milter._addrcpt, ["<spam@example.net>"])
        self.assertEqual(milter._delrcpt, ["<victim@lamb.com>"])
        self.assertEqual(milter._sender, "<filter@example.org>")
        self.assertIn(b"It was spam.", milter._body.getvalue())
        self.assertIsNone(milter.logfp)

    def test_a_step_that_is_not_answered(self):
        milter = MixedIn()
        milter.connect()
        milter.envfrom("<a@example.org>")
        self.assertEqual(milter.header("Subject", "lunch"), Milter.NOREPLY)
        milter._close()

    def test_body_that_is_set(self):
        milter = MixedIn()
        milter._body = BytesIO(b"mine")
        self.assertEqual(milter._body.getvalue(), b"mine")
        milter.connect()
        milter.feedFile(BytesIO(HAM))
        self.assertEqual(milter._body.getvalue(), HAM)
        milter._body = None
        self.assertIsNone(milter._body)

    def test_log(self):
        milter = MixedIn()
        Milter.Milter.connect(milter, "somewhere", 2, ("192.0.2.1", 5))
        TestBase.log(milter, "written", 1)
        milter._close()
        with open(sys.argv[1]) as log:  # noqa: PTH123
            self.assertIn("written\n1\n", log.read())

    def test_refused_recipient(self):
        milter = MixedIn()
        milter.connect()
        self.assertEqual(milter.feedFile(BytesIO(HAM), "a@example.org", "nobody@example.net"), Milter.REJECT)
        self.assertEqual(milter._reply, ("550", "5.1.1", "no such user"))
        milter._close()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

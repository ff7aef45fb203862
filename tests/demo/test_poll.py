"""xblock-poll, as published, on the demo host: its view, a vote, and the results of two learners."""

from tests.demo.visits import DemoTestCase, Visitor

ADDRESS = "/conformance/poll/"


class PollTests(DemoTestCase):
    def votes(self, visitor: Visitor) -> dict[str, int]:
        results = visitor.call("poll", "get_results", {}).json()
        return {row["key"]: row["count"] for row in results["tally"]}

    def test_its_view_is_shown(self) -> None:
        visitor = self.visitor(address=ADDRESS)
        self.assertIn("Which tide would you rather walk in?", visitor.source)
        choices = visitor.block("poll").xpath(".//input[@name='choice']/@value")
        self.assertEqual(choices, ["low", "high"])

    def test_a_vote_is_there_after_a_reload(self) -> None:
        visitor = self.visitor(address=ADDRESS)
        self.assertTrue(visitor.call("poll", "vote", {"choice": "low"}).json()["success"])
        self.assertTrue(visitor.reload().call("poll", "student_voted", {}).json()["voted"])
        self.assertFalse(visitor.call("poll", "vote", {"choice": "high"}).json()["success"])

    def test_results_of_two_learners(self) -> None:
        first, second = (self.visitor(name, ADDRESS) for name in ("amara", "mateo"))
        first.call("poll", "vote", {"choice": "low"})
        self.assertFalse(second.call("poll", "student_voted", {}).json()["voted"])
        second.call("poll", "vote", {"choice": "high"})
        self.assertEqual(self.votes(first), {"low": 1, "high": 1})
        self.assertEqual(self.votes(second), {"low": 1, "high": 1})

    def test_its_public_files_are_served(self) -> None:
        visitor = self.visitor(address=ADDRESS)
        sources = [source for source in visitor.page.xpath("//script/@src") if "/resources/" in source]
        self.assertEqual(len(sources), 1)
        response = visitor.client.get(sources[0])
        self.assertEqual(response["Content-Type"], "text/javascript")
        self.assertTrue(b"".join(response.streaming_content))

"""The learner page shows the saved work after a reload, to that learner only."""

from tests.demo.visits import DemoTestCase, Visitor

TWO_TIDES, SPRING, POLL, READING, TOUR = (
    "two-high-tides",
    "spring-tides",
    "where-you-watched",
    "why-the-sea-rises",
    "welcome",
)


def score(visitor: Visitor) -> str:
    return visitor.page.get_element_by_id("score-in-words").text


class ProblemTests(DemoTestCase):
    def test_a_right_answer_is_there_after_a_reload(self) -> None:
        visitor = self.visitor()
        standing = visitor.call(TWO_TIDES, "submit", {"choice": "bulges"}).json()
        self.assertEqual((standing["verdict"], standing["earned"]), ("Correct.", 1))
        visitor.reload()
        (checked,) = visitor.block(TWO_TIDES).xpath(".//input[@checked]")
        self.assertEqual(checked.get("value"), "bulges")
        self.assertEqual(visitor.text(TWO_TIDES, "verdict"), "Correct.")
        self.assertIn("carried through both bulges", visitor.text(TWO_TIDES, "explanation"))
        self.assertEqual(score(visitor), "1 of 3 points")

    def test_a_wrong_answer_does_not_give_the_right_one_away(self) -> None:
        visitor = self.visitor()
        standing = visitor.call(TWO_TIDES, "submit", {"choice": "sun"}).json()
        self.assertEqual((standing["over"], standing["explanation"]), (False, ""))
        self.assertNotIn("carried", visitor.reload().source)
        self.assertEqual(visitor.text(TWO_TIDES, "attempts"), "1 of 2 attempts used")

    def test_attempts_run_out(self) -> None:
        visitor = self.visitor()
        for _ in range(2):
            last = visitor.call(TWO_TIDES, "submit", {"choice": "sun"})
        self.assertIn("The answer is: The Earth turns", last.json()["verdict"])
        refused = visitor.call(TWO_TIDES, "submit", {"choice": "bulges"})
        self.assertEqual(refused.status_code, 409)
        self.assertIn("closed", refused.json()["error"])
        self.assertEqual(visitor.reload().text(TWO_TIDES, "attempts"), "2 of 2 attempts used")
        self.assertEqual(score(visitor), "0 of 3 points")

    def test_a_solved_problem_takes_no_further_answer(self) -> None:
        visitor = self.visitor()
        visitor.call(SPRING, "submit", {"choice": "in-line"})
        self.assertEqual(visitor.call(SPRING, "submit", {"choice": "midsummer"}).status_code, 409)
        self.assertEqual(score(visitor.reload()), "2 of 3 points")

    def test_another_learner_sees_nothing_of_it(self) -> None:
        self.visitor().call(TWO_TIDES, "submit", {"choice": "bulges"})
        other = self.visitor("mateo")
        self.assertEqual(other.block(TWO_TIDES).xpath(".//input[@checked]"), [])
        self.assertEqual(other.text(TWO_TIDES, "attempts"), "0 of 2 attempts used")
        self.assertEqual(score(other), "0 of 3 points")


class HintTests(DemoTestCase):
    def test_a_hint_is_shown_after_a_reload_and_costs_no_attempt(self) -> None:
        visitor = self.visitor()
        self.assertEqual(visitor.text("spring-tides", "hint"), "")
        standing = visitor.call("spring-tides", "show_hint", {}).json()
        self.assertIn("along one line", standing["hint"])
        self.assertIn("along one line", visitor.reload().text("spring-tides", "hint"))
        self.assertEqual(visitor.text("spring-tides", "attempts"), "0 of 3 attempts used")

    def test_a_closed_problem_shows_no_new_hint(self) -> None:
        visitor = self.visitor()
        visitor.call("spring-tides", "submit", {"choice": "in-line"})
        self.assertEqual(visitor.call("spring-tides", "show_hint", {}).status_code, 409)


class PollTests(DemoTestCase):
    def test_the_tally_is_the_whole_class_s(self) -> None:
        self.visitor().call(POLL, "vote", {"choice": "beach"})
        outcome = self.visitor("mateo").call(POLL, "vote", {"choice": "harbour"}).json()
        votes = {share["id"]: share["votes"] for share in outcome["shares"]}
        self.assertEqual(votes, {"beach": 1, "harbour": 1, "estuary": 0, "never": 0})
        self.assertEqual((outcome["total"], outcome["choice"]), (2, "harbour"))

    def test_the_tally_is_shown_after_a_vote_only(self) -> None:
        self.visitor().call(POLL, "vote", {"choice": "beach"})
        visitor = self.visitor("mateo")
        self.assertIn('"shares": []', visitor.source)
        visitor.call(POLL, "vote", {"choice": "never"})
        self.assertIn('"total": 2', visitor.reload().source)

    def test_one_vote_each(self) -> None:
        visitor = self.visitor()
        visitor.call(POLL, "vote", {"choice": "beach"})
        self.assertEqual(visitor.call(POLL, "vote", {"choice": "never"}).status_code, 409)
        self.assertIn('"total": 1', visitor.reload().source)


class PreferenceTests(DemoTestCase):
    def text_size(self, visitor: Visitor) -> str:
        return str(visitor.block(READING).find_class("reading")[0].get("data-text-size"))

    def test_the_text_size_is_the_learner_s_own_and_stays(self) -> None:
        visitor = self.visitor()
        visitor.call(READING, "choose_size", {"choice": "larger"})
        self.assertEqual(self.text_size(visitor.reload()), "larger")
        self.assertEqual(self.text_size(self.visitor("mateo")), "standard")

    def test_the_tour_is_closed_for_good(self) -> None:
        visitor = self.visitor()
        self.assertEqual(len(visitor.page.find_class("tour")), 1)
        self.assertEqual(visitor.call(TOUR, "close", {}).json(), {"seen": True})
        self.assertEqual(len(visitor.reload().page.find_class("tour")), 0)
        self.assertEqual(len(self.visitor("mateo").page.find_class("tour")), 1)


class CostTests(DemoTestCase):
    def test_the_page_reads_each_scope_once(self) -> None:
        visitor = self.visitor()
        visitor.call(TWO_TIDES, "submit", {"choice": "bulges"})
        with self.assertNumQueries(0, using="student_module_history"), self.assertNumQueries(7):
            # session, user, one for each of the four scopes, and the scores
            visitor.reload()

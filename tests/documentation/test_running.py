"""The runner of code blocks reports each way in which a block can fail."""

import tempfile
from pathlib import Path

from django.test import SimpleTestCase

from tests.documentation.documents import CHECKOUT, blocks
from tests.documentation.projects import Environment, Project
from tests.documentation.running import Runner

README = CHECKOUT / "README.md"


class Running(SimpleTestCase):
    def setUp(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "project").mkdir()
        self.project = Project(folder / "project", Environment(folder))
        self.addCleanup(self.project.close)
        self.runner = Runner(self.project)

    def run_text(self, text: str) -> None:
        self.runner.run(blocks(README, text))

    def test_a_failing_command_ends_the_block_and_is_reported_with_its_place(self) -> None:
        with self.assertRaisesRegex(AssertionError, r"README.md:4 \(sh\) fails:(.|\n)*exit code 7\nbefore"):
            self.run_text("# A page\n\n```sh\necho before\n(exit 7)\necho after\n```\n")

    def test_a_command_that_fails_in_a_pipe_is_reported(self) -> None:
        with self.assertRaisesRegex(AssertionError, "exit code 1"):
            self.run_text("```sh\nfalse | cat\n```")

    def test_malformed_data_is_reported(self) -> None:
        texts = {"json": "{", "jsonl": "{}\n{", "yaml": "a: [", "toml": "a =", "ini": "a"}
        for language, text in texts.items():
            with self.subTest(language), self.assertRaisesRegex(AssertionError, f"{language}.* fails"):
                self.run_text(f"```{language}\n{text}\n```")

    def test_the_lines_of_an_output_are_compared_in_order(self) -> None:
        command = "```sh\nprintf 'one 1\\ntwo 2\\nthree 3\\n'\n```\n\n<!-- output -->\n"
        self.run_text(command + "```text\none ...\nthree 3\n```")
        with self.assertRaisesRegex(AssertionError, "the output is another one"):
            self.run_text(command + "```text\nthree\none\n```")

    def test_a_file_is_written_and_appended_to(self) -> None:
        self.run_text(
            "<!-- file: folder/name.py -->\n```python\na = 1\n```\n\n"
            "<!-- append to: folder/name.py -->\n```python\nprint(a + 1)\n```\n\n"
            "```sh\npython folder/name.py\n```\n\n<!-- output -->\n```text\n2\n```"
        )

    def test_a_block_for_another_database_or_with_a_reason_does_not_run(self) -> None:
        self.run_text("<!-- run on: mysql -->\n```sh\nfalse\n```\n\n<!-- not run: a reason -->\n```sh\nfalse\n```")

    def test_a_command_in_the_background_runs_until_the_end_of_the_page(self) -> None:
        self.run_text("<!-- run in the background -->\n```sh\nsleep 600\n```")
        ((_, process, _),) = self.project.services
        self.project.close()
        self.assertEqual(process.returncode, -15)

    def test_a_command_in_the_background_that_ends_is_reported(self) -> None:
        self.run_text("<!-- run in the background -->\n```sh\necho port in use\nfalse\n```")
        self.project.services[0][1].wait()
        with self.assertRaisesRegex(AssertionError, "ended with 1\nport in use"):
            self.project.close()

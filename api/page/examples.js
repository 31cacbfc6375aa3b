// Texts for who has none at hand: questions, as the model of `make demo` has learnt from.

export const EXAMPLES = [
  "Why does my code keep throwing me null pointer exception?",
  "I wrote a loop that i cannot exit, what am I doing wrong?",
  "center a div inside another div",
  "how do I undo my last commit",
  "merge two dictionaries and sort them by value",
  "left join returns more rows than expected",
  "rename all files of a folder from the command line",
  "table view cell does not update after I scroll",
  "addEventListener fires twice",
  "migration fails: column already exists",
];

export function exampleFile() {
  const rows = EXAMPLES.map((text, number) => `${number + 1},"${text.replaceAll('"', '""')}"`);
  return new File([["number,question", ...rows, ""].join("\r\n")], "example.csv", { type: "text/csv" });
}

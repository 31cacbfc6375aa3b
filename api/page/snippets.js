// The same request for a terminal and for programs.

import { copy, h } from "./dom.js";
import { keys } from "./service.js";

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(request) {
  const key = keys.get() ? " \\\n     -H \"Authorization: Bearer $RETORT_API_KEY\"" : "";
  return `curl ${location.origin}/predict -H 'Content-Type: application/json'${key} \\\n     -d ${quoted(JSON.stringify(request))}`;
}

function python({ texts, ...options }, several) {
  const key = keys.get() ? ', api_key=os.environ["RETORT_API_KEY"]' : "";
  const more = Object.entries(options).map(([name, value]) => `, ${name}=${literal(value)}`).join("");
  return `${key ? "import os\n\n" : ""}from retort_client import Client

with Client("${location.origin}"${key}) as client:
    for answer in client.predict(${JSON.stringify(texts)}${more}):
        print(${several ? "[one.label for one in answer.labels]" : "answer.label, answer.score"})`;
}

const literal = (value) => (typeof value === "boolean" ? (value ? "True" : "False") : JSON.stringify(value));

function javascript(request) {
  const key = keys.get() ? ", Authorization: `Bearer ${process.env.RETORT_API_KEY}`" : "";
  return `const answer = await fetch("${location.origin}/predict", {
  method: "POST",
  headers: {"Content-Type": "application/json"${key}},
  body: JSON.stringify(${JSON.stringify(request)}),
});
console.log((await answer.json()).predictions);`;
}

const LANGUAGES = { curl, Python: python, JavaScript: javascript };

// `several`: the model may give a text several labels.
export function snippets(request, several) {
  return h("details", { class: "snippets" },
    h("summary", null, "The same request as code"),
    Object.entries(LANGUAGES).map(([name, write]) => {
      const code = write(request, several);
      const button = h("button", { type: "button", class: "small", onclick: async () => {
        await copy(code);
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy"), 2000);
      } }, "Copy");
      return h("div", { class: "snippet" },
        h("div", { class: "row" }, h("h3", null, name), button),
        h("pre", { tabindex: "0", "aria-label": name }, h("code", null, code)));
    }));
}

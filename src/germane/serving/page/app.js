// The page: a form that says the moment, a list that answers it. No framework, no build, no outside address.

// Kinds of reasons in the order of a bar, and their names; what is none of them is "other".
const KINDS = new Map([
  ...["history", "moment", "words", "content", "taste", "popularity"].map((kind) => [kind, kind]),
  ["new", "new items"],
  ["ranker", "second model"],
  ["rule", "rule"],
  ["usual", "the usual"],
  ["other", "other"],
]);
const WAIT = 250; // milliseconds between the last key and the question
const SHOWN = 12; // events of the history

const $ = (id) => document.getElementById(id);
const form = $("moment");
const titles = new Map(); // item -> {title, columns}
const fields = new Map(); // context name -> {input, type}
let session = []; // what an anonymous visitor took, oldest first
let before = new Map(); // item -> place in the list before this one
let kind; // of the events that a click sends; undefined where events have none
let asking = null;
let answered = null; // the list on the screen, and the query that it answers
let choosing = false; // a choice is being sent

/** An element with attributes and children; text is text, never HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

async function call(path, options = {}) {
  const { body, ...rest } = options;
  const request = body === undefined ? rest : { ...rest, method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const response = await fetch(path, request).catch((error) => {
    throw error.name === "AbortError" ? error : new Error("The service does not answer. Is it running?");
  });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.detail ?? `${response.status} ${response.statusText}`);
  return answer;
}

function later(task, wait = WAIT) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(task, wait);
  };
}

// The moment.

async function start() {
  const [moments, { versions }] = await Promise.all([call("/v1/context"), call("/v1/versions")]);
  $("version").textContent = versions[0].version;
  kind = moments.kind ?? undefined;
  for (const column of moments.columns) {
    if (column.name !== "time") addField(column);
  }
  $("context").hidden = fields.size === 0;
  $("words-field").hidden = !moments.words;
  const example = moments.example ?? {};
  if (example.time) $("time").value = String(example.time).slice(0, 16);
  $("example").addEventListener("click", () => {
    form.reset();
    fill(example);
    changed();
  });
  form.addEventListener("input", later(changed));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
  });
  form.addEventListener("reset", () => {
    session = [];
    setTimeout(changed);
  });
  $("now").addEventListener("click", () => {
    $("time").value = "";
    changed();
  });
  $("list").addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter") event.preventDefault(); // a key held down is one choice
  });
  $("user").addEventListener("input", later(suggest, 120));
  await suggest();
  await changed();
}

function addField({ name, type, values, low, high }) {
  const id = `context-${fields.size}`;
  let input;
  let extra = [];
  if (values && values.length <= 24) {
    const options = values.map(({ value }) => make("option", { value: JSON.stringify(value) }, String(value)));
    input = make("select", { id }, make("option", { value: "" }, "not said"), ...options);
  } else if (values) {
    input = make("input", { id, list: `${id}-values`, placeholder: "not said", spellcheck: "false" });
    extra = [make("datalist", { id: `${id}-values` }, ...values.slice(0, 500).map(({ value }) => make("option", { value: String(value) })))];
  } else {
    const range = low === undefined || low === null ? "not said" : `${tidy(low)} to ${tidy(high)}`;
    input = make("input", { id, type: "number", step: "any", inputmode: "decimal", placeholder: range });
  }
  fields.set(name, { input, type: values && values.length <= 24 ? "json" : values ? "text" : "number" });
  $("context").append(make("div", { class: "field" }, make("label", { for: id }, name.replaceAll("_", " ")), input, ...extra));
}

function fill(example) {
  $("user").value = example.user ?? "";
  $("time").value = example.time ? String(example.time).slice(0, 16) : "";
  $("words").value = example.words ?? "";
  for (const [name, value] of Object.entries(example.context ?? {})) {
    const field = fields.get(name);
    if (field) field.input.value = field.type === "json" ? JSON.stringify(value) : String(value);
  }
}

function moment() {
  const context = {};
  for (const [name, { input, type }] of fields) {
    input.classList.toggle("said", input.value !== "");
    if (input.value !== "") context[name] = type === "json" ? JSON.parse(input.value) : type === "number" ? Number(input.value) : input.value;
  }
  const user = $("user").value; // as it is: " u1" is another id than "u1"
  const words = $("words").value.trim();
  for (const [id, said] of [["user", user], ["time", $("time").value], ["words", words]]) $(id).classList.toggle("said", said !== "");
  return {
    ...(user ? { user } : { history: session }),
    ...($("time").value ? { time: $("time").value } : {}),
    ...(Object.keys(context).length ? { context } : {}),
    ...(words ? { words } : {}),
    explore: $("explore").checked,
    n: 10,
  };
}

async function suggest() {
  const prefix = $("user").value;
  const { users } = await call(`/v1/users?limit=20&prefix=${encodeURIComponent(prefix)}`).catch(() => ({ users: [] }));
  $("users").replaceChildren(...users.map(({ user, events }) => make("option", { value: user, label: `${user}: ${events} events` })));
}

// The answer.

async function changed() {
  asking?.abort();
  const mine = (asking = new AbortController());
  const query = moment();
  $("list").setAttribute("aria-busy", "true");
  try {
    const slate = await call("/v1/recommendations", { body: query, signal: mine.signal });
    const stranger = slate.notes.some(({ code }) => code === "unknown_user");
    const history = stranger ? [] : await historyOf(query, mine.signal);
    await lookUp([...slate.items.map(({ item }) => item), ...history.slice(-SHOWN).map(({ item }) => item)], mine.signal);
    if (mine !== asking) return;
    $("problem").hidden = true;
    showList(slate);
    showHistory(history);
    answered = { slate, query };
  } catch (error) {
    if (error.name === "AbortError") return;
    say(error.message);
  }
  if (mine === asking) $("list").setAttribute("aria-busy", "false");
}

async function historyOf({ user, history }, signal) {
  if (!user) return history.map((event) => (typeof event === "string" ? { item: event } : event));
  try {
    return (await call(`/v1/users/${encodeURIComponent(user)}?only=history`, { signal })).history;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return []; // known to the model, but nothing is held any more
  }
}

async function lookUp(items, signal) {
  const wanted = [...new Set(items)].filter((item) => !titles.has(item));
  if (!wanted.length) return;
  const asked = new URLSearchParams(wanted.map((item) => ["id", item]));
  for (const found of (await call(`/v1/items?${asked}`, { signal })).items) titles.set(found.item, found);
}

function showList(slate) {
  const drawn = new Set(slate.items.flatMap(({ reasons }) => reasons.filter(({ weight }) => weight !== 0).map(kindOf)));
  const sum = (reasons, sign) => reasons.reduce((total, { weight }) => total + Math.max(0, sign * weight), 0);
  const right = Math.max(0, ...slate.items.map(({ reasons }) => sum(reasons, 1)));
  const left = Math.max(0, ...slate.items.map(({ reasons }) => sum(reasons, -1)));
  const scale = { zero: left / (left + right || 1), width: left + right || 1, usual: new Map() };
  for (const reason of slate.items.flatMap(({ reasons }) => reasons)) {
    scale.usual.set(reason.kind, (scale.usual.get(reason.kind) ?? 0) + reason.weight / slate.items.length);
  }

  $("legend").replaceChildren(...[...KINDS].filter(([kind]) => drawn.has(kind)).map(([kind, name]) => make("li", { "data-kind": kind }, name)));
  const focused = document.activeElement?.closest?.(".item")?.dataset.item;
  $("list").replaceChildren(...slate.items.map((shown) => row(shown, scale)));
  if (focused !== undefined) {
    const again = [...document.querySelectorAll(".item")].find((element) => element.dataset.item === focused);
    (again ?? $("list").querySelector(".item") ?? $("list")).focus({ preventScroll: true });
  }
  before = new Map(slate.items.map(({ item, position }) => [item, position]));
  $("notes").replaceChildren(...slate.notes.map(({ detail }) => make("li", {}, detail)));
  const first = slate.items.length ? titleOf(slate.items[0].item) : "nothing";
  $("summary").textContent = `${slate.items.length} by ${slate.policy}`;
  $("status").textContent = `${slate.items.length} items, first ${first}.`;
}

function row({ item, position, score, propensity, reasons }, scale) {
  const title = titleOf(item);
  const { columns } = titles.get(item) ?? { columns: {} };
  const aside = Object.values(columns).filter((value) => String(value) !== title && String(value).length <= 40).slice(0, 2).join(" · ");
  const lead = (reason) => reason.weight - (scale.usual.get(reason.kind) ?? 0); // what speaks for this one more than for the others
  const because = reasons.filter(({ weight }) => weight > 0).sort((a, b) => lead(b) - lead(a))[0];
  const said = reasons.filter(({ weight }) => weight !== 0).map((r) => `${KINDS.get(kindOf(r))} ${tidy(r.weight)}`).join(", ");
  const chance = propensity < 1 ? `, shown with chance ${tidy(propensity)}` : "";
  const line = make(
    "button",
    { type: "button", class: "item", "data-item": item, title: `Choose it${chance}`, "aria-label": `${position}. ${title}${title === item ? "" : ` (${item})`}. Score ${tidy(score)}: ${said || "no reasons"}${chance}. Choose it.` },
    make("span", { class: "place" }, String(position), moved(item, position)),
    make("span", { class: "title" }, ...named(item), make("small", {}, aside)),
    make("span", { class: "score" }, tidy(score)),
    make("span", { class: "why" }, bar(reasons, scale), make("span", { class: "because" }, because?.text ?? "")),
  );
  line.addEventListener("click", ({ detail }) => detail > 1 || choose(item)); // the second click of two meets another list already
  return make("li", {}, line);
}

function kindOf({ kind }) {
  return KINDS.has(kind) ? kind : "other";
}

function bar(reasons, { zero, width }) {
  const parts = [];
  let [up, down] = [zero, zero];
  for (const kind of KINDS.keys()) {
    for (const reason of reasons) {
      const { weight } = reason;
      if (kindOf(reason) !== kind || weight === 0) continue;
      const size = Math.abs(weight) / width;
      if (weight < 0) down -= size;
      parts.push(part({ "data-kind": kind }, weight < 0 ? down : up, size));
      if (weight > 0) up += size;
    }
  }
  if (zero > 0) parts.push(part({ class: "zero" }, zero));
  return make("span", { class: "bar" }, ...parts);
}

function part(attributes, left, width) {
  const element = make("i", attributes);
  element.style.left = `${100 * left}%`;
  if (width !== undefined) element.style.width = `${100 * width}%`;
  return element;
}

function moved(item, position) {
  const was = before.get(item);
  if (!before.size || was === position) return make("span", { class: "moved" });
  if (was === undefined) return make("span", { class: "moved" }, "new");
  return was > position ? make("span", { class: "moved" }, `↑${was - position}`) : make("span", { class: "moved down" }, `↓${position - was}`);
}

// What happens.

/** An item of the list on the screen is taken: by whom and in which moment the list was asked for, whatever the form says by now. */
async function choose(item) {
  if (choosing) return;
  choosing = true;
  const { slate, query } = answered;
  const { user, time, context } = query; // the session of a visitor is the query's own history
  const { recommendation_id } = slate;
  try {
    if (user) {
      const event_id = `${recommendation_id}/${item}`; // sent again after a failure, it is stored once
      await call("/v1/events", { body: { events: [{ event_id, user, item, kind, time, context, recommendation_id }] } });
    } else {
      query.history.push({ item, kind, time });
    }
    await changed();
    $("status").textContent = `${titleOf(item)} is in the history now. ${$("status").textContent}`;
  } catch (error) {
    say(error.message);
  }
  choosing = false;
}

function say(problem) {
  $("problem").textContent = problem;
  $("problem").hidden = false;
}

function showHistory(history) {
  const newest = history.slice(-SHOWN).reverse();
  $("history").replaceChildren(
    ...newest.map((event) =>
      make("li", {}, make("span", { class: "what" }, ...named(event.item)), make("span", { class: "when" }, [event.kind, day(event.time)].filter(Boolean).join(", "))),
    ),
  );
  $("history-count").textContent = history.length > SHOWN ? `newest ${SHOWN} of ${history.length}` : history.length ? String(history.length) : "";
  $("history-empty").hidden = history.length > 0;
}

function titleOf(item) {
  return titles.get(item)?.title ?? item;
}

/** Title and id; where an item has no title its id is the title. */
function named(item) {
  const title = titleOf(item);
  return title === item ? [make("b", {}, item)] : [make("b", {}, title), " ", make("code", { class: "id" }, item)];
}

function tidy(number) {
  return typeof number === "number" ? Number(number.toPrecision(3)).toString() : String(number);
}

function day(time) {
  if (!time) return "";
  const when = new Date(`${String(time).slice(0, 19)}Z`);
  if (Number.isNaN(when.getTime())) return "";
  return when.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}

start().catch((error) => say(`The page could not start: ${error.message}`));

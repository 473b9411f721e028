// The OpenAPI document for people: every call, what it takes and what it answers.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const document_ = await (await fetch("/openapi.json")).json();

function resolve(schema) {
  return schema?.$ref ? { name: schema.$ref.split("/").at(-1), ...document_.components.schemas[schema.$ref.split("/").at(-1)] } : (schema ?? {});
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  return schema.type === "null" ? "null" : (schema.type ?? "anything");
}

function table(rows) {
  return make("table", {}, make("tr", {}, ...["Name", "Type", "Meaning"].map((name) => make("th", { scope: "col" }, name))),
    ...rows.map(([name, type, said]) => make("tr", {}, make("td", {}, make("code", {}, name)), make("td", {}, type), make("td", {}, said ?? ""))));
}

function fieldsOf(schema) {
  const form = resolve(schema);
  if (!form.properties) return make("p", { class: "help" }, form.additionalProperties ? "An object of columns: name to text, number, true, false, null or a list." : typeOf(schema));
  const needed = new Set(form.required ?? []);
  const inner = Object.values(form.properties).map((field) => field.items ?? field).filter((field) => field.$ref);
  const rows = Object.entries(form.properties).map(([name, field]) => [needed.has(name) ? `${name} *` : name, typeOf(field), field.description]);
  return make("div", {}, table(rows), ...inner.map((field) => make("div", {}, make("h3", {}, typeOf(field)), fieldsOf(field))));
}

function call(path, method, operation) {
  const parts = [];
  if (operation.parameters) {
    parts.push(make("h3", {}, "Parameters"), table(operation.parameters.map((p) => [p.name, `${typeOf(p.schema)}, in ${p.in}`, p.description])));
  }
  const body = operation.requestBody?.content["application/json"];
  if (body) {
    parts.push(make("h3", {}, "Body"), fieldsOf(body.schema));
    if (body.example) parts.push(make("pre", {}, JSON.stringify(body.example, null, 2)));
  }
  for (const [status, { description, content }] of Object.entries(operation.responses)) {
    const answer = content?.["application/json"];
    if (answer && status < 300) parts.push(make("h3", {}, `${status} ${description}`), fieldsOf(answer.schema));
  }
  const problems = Object.entries(operation.responses).filter(([status]) => status >= 400).map(([status, { description }]) => `${status} ${description}`);
  parts.push(make("h3", {}, "Problems"), make("p", { class: "help" }, problems.join(" · ")));
  return make("details", {}, make("summary", {}, make("b", {}, method.toUpperCase()), make("code", {}, path), make("span", {}, operation.summary)), ...parts);
}

for (const { name: tag } of document_.tags) {
  const calls = Object.entries(document_.paths).flatMap(([path, methods]) =>
    Object.entries(methods).filter(([, operation]) => operation.tags.includes(tag)).map(([method, operation]) => call(path, method, operation)));
  document.getElementById("docs").append(make("section", { class: "panel" }, make("h2", {}, tag), ...calls));
}

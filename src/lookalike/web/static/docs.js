"use strict";
// Shows /openapi.json. Everything is written as text, never as markup.

const root = document.getElementById("docs");

function make(tag, text, ...children) {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  node.append(...children);
  return node;
}

function resolved(schema, all) {
  return schema && schema.$ref ? all.components.schemas[schema.$ref.split("/").pop()] : schema || {};
}

function typeOf(schema, all) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(one, all)).join(" | ");
  if (schema.type === "array") return `${typeOf(schema.items || {}, all)}[]`;
  if (schema.format === "binary") return "file";
  return schema.type || "any";
}

// A value of that shape, with the examples that the description gives.
function example(schema, all, depth = 0) {
  const whole = resolved(schema, all);
  if (whole.examples && whole.examples.length) return whole.examples[0];
  if (whole.default !== undefined) return whole.default;
  if (whole.anyOf) return example(whole.anyOf[0], all, depth);
  if (whole.enum) return whole.enum[0];
  if (whole.type === "array") return depth > 4 ? [] : [example(whole.items || {}, all, depth + 1)];
  if (whole.properties) {
    const entries = Object.entries(whole.properties).map(([name, one]) => [name, example(one, all, depth + 1)]);
    return Object.fromEntries(entries);
  }
  return { integer: 0, number: 0.5, boolean: true, string: "…" }[whole.type] ?? null;
}

function limits(schema) {
  const one = (schema.anyOf || [schema]).find((each) => each.type !== "null") || schema;
  const parts = [];
  if (one.minimum !== undefined) parts.push(`≥ ${one.minimum}`);
  if (one.maximum <= Number.MAX_SAFE_INTEGER) parts.push(`≤ ${one.maximum}`);
  if (schema.default !== undefined && schema.default !== null) parts.push(`${schema.default} if not given`);
  return parts.join(", ");
}

function table(rows) {
  const body = make("tbody");
  for (const row of rows) body.append(make("tr", "", ...row.map((text, place) => make(place ? "td" : "th", text))));
  return make("table", "", body);
}

function fields(schema, all) {
  const whole = resolved(schema, all);
  const required = new Set(whole.required || []);
  return table(
    Object.entries(whole.properties || {}).map(([name, one]) => [
      name + (required.has(name) ? " *" : ""), typeOf(one, all), one.description || "", limits(one),
    ]),
  );
}

function curl(method, path, operation) {
  const parts = ["curl"];
  const content = operation.requestBody ? operation.requestBody.content : {};
  if (content["multipart/form-data"]) parts.push("-F file=@photo.jpg");
  else if (content["application/json"]) parts.push(`--json '${JSON.stringify(content["application/json"].example)}'`);
  else if (method !== "get") parts.push(`-X ${method.toUpperCase()}`);
  parts.push(location.origin + path.replace(/\{(\w+)\}/g, "1"));
  return parts.join(" ");
}

function section(method, path, operation, all) {
  const part = make("section");
  part.append(make("h2", "", make("code", `${method.toUpperCase()} ${path}`)), make("p", operation.description || ""));
  part.append(make("pre", curl(method, path, operation)));
  const given = (operation.parameters || []).map((one) => [
    one.name + (one.required ? " *" : ""), typeOf(one.schema, all), one.description || "", limits(one.schema),
  ]);
  if (given.length) part.append(make("h3", "Parameters"), table(given));
  for (const [kind, body] of Object.entries(operation.requestBody ? operation.requestBody.content : {})) {
    part.append(make("h3", kind), fields(body.schema, all));
  }
  part.append(make("h3", "Answers"));
  part.append(table(Object.entries(operation.responses).map(([status, one]) => [status, one.description || ""])));
  const answers = Object.entries(operation.responses).filter(([status]) => status.startsWith("2"));
  const json = answers.length && answers[0][1].content ? answers[0][1].content["application/json"] : null;
  if (json && json.schema) {
    part.append(make("pre", JSON.stringify(example(json.schema, all), null, 2)), fields(json.schema, all));
  }
  return part;
}

fetch("/openapi.json").then((response) => response.json()).then((all) => {
  const parts = [make("p", all.info.description.replaceAll("`", ""))];
  for (const [path, operations] of Object.entries(all.paths)) {
    for (const [method, operation] of Object.entries(operations)) parts.push(section(method, path, operation, all));
  }
  root.replaceChildren(...parts);
}).catch((error) => root.replaceChildren(make("p", `The description cannot be read: ${error.message}`)));

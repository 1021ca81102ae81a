// Shows /openapi.json. Everything is written as text, never as markup.

/**
 * @typedef {{ $ref?: string, enum?: unknown[], anyOf?: Schema[], type?: string, items?: Schema, format?: string,
 *   examples?: unknown[], default?: unknown, properties?: Record<string, Schema>, required?: string[], minimum?: number,
 *   maximum?: number, description?: string }} Schema
 * @typedef {Record<string, { schema?: Schema, example?: unknown }>} Content by media type
 * @typedef {{ description?: string, requestBody?: { content: Content },
 *   parameters?: { name: string, required?: boolean, description?: string, schema: Schema }[],
 *   responses: Record<string, { description?: string, content?: Content }> }} Operation
 * @typedef {{ info: { description: string }, paths: Record<string, Record<string, Operation>>,
 *   components: { schemas: Record<string, Schema> } }} Description
 */

const root = /** @type {HTMLElement} */ (document.getElementById("docs"));

/** @param {string} tag @param {string} [text] @param {...Node} children */
function make(tag, text, ...children) {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  node.append(...children);
  return node;
}

/** @param {Schema} schema */
const nameOf = (schema) => String(schema.$ref?.split("/").pop());

/** @param {Schema} schema @param {Description} all @returns {Schema} */
function resolved(schema, all) {
  return schema.$ref ? all.components.schemas[nameOf(schema)] : schema;
}

/** @param {Schema} schema @returns {string} */
function typeOf(schema) {
  if (schema.$ref) return nameOf(schema);
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.type === "array") return `${typeOf(schema.items || {})}[]`;
  if (schema.format === "binary") return "file";
  return schema.type || "any";
}

/**
 * A value of that shape, with the examples that the description gives.
 * @param {Schema} schema
 * @param {Description} all
 * @returns {unknown}
 */
function example(schema, all, depth = 0) {
  const whole = resolved(schema, all);
  if (whole.examples?.length) return whole.examples[0];
  if (whole.default !== undefined) return whole.default;
  if (whole.anyOf) return example(whole.anyOf[0], all, depth);
  if (whole.enum) return whole.enum[0];
  if (whole.type === "array") return depth > 4 ? [] : [example(whole.items || {}, all, depth + 1)];
  if (whole.properties) {
    const entries = Object.entries(whole.properties).map(([name, one]) => [name, example(one, all, depth + 1)]);
    return Object.fromEntries(entries);
  }
  /** @type {Record<string, unknown>} */
  const simple = { integer: 0, number: 0.5, boolean: true, string: "…" };
  return simple[String(whole.type)] ?? null;
}

/** @param {Schema} schema */
function limits(schema) {
  const one = (schema.anyOf || [schema]).find((each) => each.type !== "null") || schema;
  const parts = [];
  if (one.minimum !== undefined) parts.push(`≥ ${one.minimum}`);
  if (one.maximum !== undefined && one.maximum <= Number.MAX_SAFE_INTEGER) parts.push(`≤ ${one.maximum}`);
  if (schema.default !== undefined && schema.default !== null) parts.push(`default ${schema.default}`);
  return parts.join(", ");
}

/** @param {string[][]} rows */
function table(rows) {
  const body = make("tbody");
  for (const row of rows) body.append(make("tr", "", ...row.map((text, place) => make(place ? "td" : "th", text))));
  return make("table", "", body);
}

/** @param {Schema} schema @param {Description} all */
function fields(schema, all) {
  const whole = resolved(schema, all);
  const required = new Set(whole.required || []);
  return table(
    Object.entries(whole.properties || {}).map(([name, one]) => [
      name + (required.has(name) ? " *" : ""), typeOf(one), one.description || "", limits(one),
    ]),
  );
}

/** @param {string} method @param {string} path @param {Operation} operation */
function curl(method, path, operation) {
  const parts = ["curl"];
  const content = operation.requestBody ? operation.requestBody.content : {};
  if (content["multipart/form-data"]) parts.push("-F file=@photo.jpg");
  else if (content["application/json"]) parts.push(`--json '${JSON.stringify(content["application/json"].example)}'`);
  else if (method !== "get") parts.push(`-X ${method.toUpperCase()}`);
  parts.push(location.origin + path.replace(/\{(\w+)\}/g, "1"));
  return parts.join(" ");
}

/** @param {string} method @param {string} path @param {Operation} operation @param {Description} all */
function section(method, path, operation, all) {
  const part = make("section");
  part.append(make("h2", "", make("code", `${method.toUpperCase()} ${path}`)), make("p", operation.description || ""));
  part.append(make("pre", curl(method, path, operation)));
  const given = (operation.parameters || []).map((one) => [
    one.name + (one.required ? " *" : ""), typeOf(one.schema), one.description || "", limits(one.schema),
  ]);
  if (given.length) part.append(make("h3", "Parameters"), table(given));
  for (const [kind, body] of Object.entries(operation.requestBody ? operation.requestBody.content : {})) {
    part.append(make("h3", kind), fields(body.schema || {}, all));
  }
  part.append(make("h3", "Responses"));
  part.append(table(Object.entries(operation.responses).map(([status, one]) => [status, one.description || ""])));
  const answers = Object.entries(operation.responses).filter(([status]) => status.startsWith("2"));
  const json = answers[0]?.[1].content?.["application/json"];
  if (json?.schema) {
    part.append(make("pre", JSON.stringify(example(json.schema, all), null, 2)), fields(json.schema, all));
  }
  return part;
}

fetch("/openapi.json").then((response) => response.json()).then((/** @type {Description} */ all) => {
  const parts = [make("p", all.info.description.replaceAll("`", ""))];
  for (const [path, operations] of Object.entries(all.paths)) {
    for (const [method, operation] of Object.entries(operations)) parts.push(section(method, path, operation, all));
  }
  root.replaceChildren(...parts);
}).catch((error) => root.replaceChildren(make("p", `Cannot load the description of the API: ${error.message}`)));

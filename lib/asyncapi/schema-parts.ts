import type { JsonSchema } from './json-form.js';

/** A schema as an object. */
export type Node = Readonly<Record<string, any>>;

/** Keywords that no value is compared with. */
export const annotations = new Set([
  ...['$comment', '$defs', '$id', '$schema', 'default', 'definitions', 'deprecated', 'description'],
  ...['examples', 'id', 'readOnly', 'title', 'writeOnly'],
]);
/** What a schema refers to. */
export function refOf(schema: unknown): string | undefined {
  const ref = (schema as { $ref?: unknown } | undefined)?.$ref;
  return typeof ref === 'string' ? ref : undefined;
}

/** A schema as an object, with what it refers to in its place; undefined where that is not there. */
export function resolved(schema: unknown, document: unknown, depth = 0): Node | undefined {
  if (schema === true || schema === undefined) return {};
  if (schema === false) return { not: {} };
  if (typeof schema !== 'object' || schema === null || depth > 20) return undefined;
  const ref = refOf(schema);
  if (ref === undefined) return schema as Node;
  return ref.startsWith('#') ? resolved(pointedTo(document, ref) ?? null, document, depth + 1) : undefined;
}

/** What a pointer within a document leads to. */
function pointedTo(document: unknown, ref: string): unknown {
  const steps = ref.slice(1).split('/').slice(1);
  return steps.reduce<any>((part, step) => {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
    return typeof part === 'object' && part !== null && Object.hasOwn(part, name) ? part[name] : undefined;
  }, document);
}

/** The same text for the same meaning: references are followed, annotations left out, names sorted. */
export function canonical(value: unknown, document: unknown, path: readonly string[] = []): string {
  if (Array.isArray(value)) return `[${value.map((each) => canonical(each, document, path)).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  const ref = refOf(value);
  if (ref !== undefined) {
    if (path.includes(ref)) return `<${path.length - path.indexOf(ref)} up>`;
    return canonical(pointedTo(document, ref), document, [...path, ref]);
  }
  const parts = Object.entries(value)
    .filter(([name, part]) => !annotations.has(name) || typeof part !== 'string')
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${parts.map(([name, part]) => `${JSON.stringify(name)}:${canonical(part, document, path)}`).join()}}`;
}

/** Its alternatives. */
export function branchesOf(node: Node): readonly unknown[] | undefined {
  return Array.isArray(node.anyOf) ? node.anyOf : Array.isArray(node.oneOf) ? node.oneOf : undefined;
}

const everyType = ['array', 'boolean', 'null', 'number', 'object', 'string'];

/** The types of JSON that fit. */
export function typesOf({ type, ...rest }: Node): readonly string[] {
  if (type !== undefined) return [type].flat() as string[];
  const values = valuesOf(rest);
  return values === undefined
    ? everyType
    : [...new Set(values.map((value) => typeOfJson(JSON.parse(value))))];
}

function typeOfJson(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

/** Whether a value of `type` fits one of `types`. */
export function covers(types: readonly string[], type: string): boolean {
  return types.includes(type) || (type === 'integer' && types.includes('number'));
}

/** The values that fit, as JSON; undefined where they are not listed. */
export function valuesOf(node: Node): readonly string[] | undefined {
  if ('const' in node) return [JSON.stringify(node.const)];
  return Array.isArray(node.enum) ? node.enum.map((value: unknown) => JSON.stringify(value)) : undefined;
}

/** Its fields, and which of them are required. */
export function fieldsOf({ properties = {}, required = [] }: Node) {
  return {
    byName: new Map<string, unknown>(Object.entries(properties)),
    required: new Set<string>(required),
  };
}

/** 0: no other fields; 1: those of a schema; 2: any. */
export function openness(additional: unknown): 0 | 1 | 2 {
  if (additional === false) return 0;
  const isAny = additional === true || Object.keys(additional as JsonSchema).length === 0;
  return isAny ? 2 : 1;
}

/** Values for a text. */
export function listed(values: readonly string[]): string {
  return values.length > 5 ? `${values.slice(0, 5).join(' | ')} | …` : values.join(' | ');
}

/** A value for a text. */
export function shown(value: unknown): string {
  return value === undefined ? 'without' : JSON.stringify(value);
}

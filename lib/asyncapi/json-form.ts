import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { isMissingPackage } from '../errors/missing-package.js';

/** A JSON Schema of draft 07, which AsyncAPI's own schemas are a superset of. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Makes the JSON Schema of what a schema takes; undefined for a schema that is left to the usual ways. */
export type JsonSchemaConverter = (
  schema: StandardSchemaV1,
) => JsonSchema | undefined | Promise<JsonSchema | undefined>;

/** The JSON Schema of a schema, or why it has none. */
export type JsonForm = { readonly schema: JsonSchema } | { readonly missing: string };

const TARGET = 'draft-07';

/**
 * The form in which what `schema` takes travels, made by the schema's own library: by `convert`, by the Standard JSON Schema
 * interface (zod since 4.2, arktype since 2.1.28), or by valibot's `@valibot/to-json-schema`. Never rejects.
 */
export async function jsonFormOf(
  schema: StandardSchemaV1 | undefined,
  convert: JsonSchemaConverter | undefined,
): Promise<JsonForm> {
  if (schema === undefined) return { missing: 'it has a type and no schema' };
  const { vendor } = schema['~standard'];
  try {
    const made = (await convert?.(schema)) ?? standardForm(schema) ?? (await valibotForm(schema));
    if (made === undefined) return { missing: `its schema, of ${vendor}, has no JSON Schema of its own` };
    if (typeof made !== 'object' || made === null || Array.isArray(made))
      return { missing: `what ${vendor} makes of its schema is no JSON Schema` };
    const { $schema: _dialect, ...rest } = made;
    return { schema: rest };
  } catch (error) {
    if (isMissingPackage(error, ['@valibot/to-json-schema']))
      return { missing: 'its schema, of valibot, needs the package @valibot/to-json-schema' };
    return { missing: `${vendor} cannot write its schema as JSON Schema: ${firstLine(error)}` };
  }
}

function standardForm(schema: StandardSchemaV1): JsonSchema | undefined {
  const { jsonSchema } = (schema as StandardSchemaV1 & Partial<StandardJSONSchemaV1>)[
    '~standard'
  ] as Partial<StandardJSONSchemaV1.Props>;
  return jsonSchema?.input({ target: TARGET });
}

async function valibotForm(schema: StandardSchemaV1): Promise<JsonSchema | undefined> {
  if (schema['~standard'].vendor !== 'valibot') return undefined;
  const { toJsonSchema } = await import('@valibot/to-json-schema');
  return toJsonSchema(schema as never, { target: TARGET, typeMode: 'input' }) as JsonSchema;
}

function firstLine(error: unknown): string {
  return error instanceof Error ? error.message.split('\n', 1)[0] : 'it threw what is no error';
}

const oneSchema = new Set([
  ...['additionalItems', 'additionalProperties', 'contains', 'else', 'if', 'not', 'propertyNames', 'then'],
  ...['items', 'unevaluatedItems', 'unevaluatedProperties'],
]);
const manySchemas = new Set(['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems']);
const namedSchemas = new Set([
  ...['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties'],
]);

/**
 * `schema` as it stands at `pointer` of a document: what it refers to within itself is found there. Values beside schemas, as
 * of `const` or `default`, stay as they are.
 */
export function placedAt<Schema>(pointer: string, schema: Schema): Schema {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return schema;
  const placed = (inner: unknown) => placedAt(pointer, inner);
  const entries = Object.entries(schema).map(([keyword, value]) => {
    if (keyword === '$ref') return [keyword, movedRef(pointer, value)];
    if (Array.isArray(value)) return [keyword, manySchemas.has(keyword) ? value.map(placed) : value];
    if (typeof value !== 'object' || value === null) return [keyword, value];
    if (oneSchema.has(keyword)) return [keyword, placed(value)];
    if (!namedSchemas.has(keyword)) return [keyword, value];
    return [keyword, Object.fromEntries(Object.entries(value).map(([name, each]) => [name, placed(each)]))];
  });
  return Object.fromEntries(entries);
}

function movedRef(pointer: string, ref: unknown): unknown {
  return typeof ref === 'string' && (ref === '#' || ref.startsWith('#/')) ? pointer + ref.slice(1) : ref;
}

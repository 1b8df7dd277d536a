import { Parser } from '@asyncapi/parser';
import type { AsyncApiDocument } from '../../../lib/asyncapi/document.js';

/**
 * The document as it is after JSON, checked by AsyncAPI's own parser: rejects with what that finds wrong, errors and warnings.
 * That a newer version of AsyncAPI exists is no fault, and neither is what nobody must say, as a license.
 */
export async function checkedDocument(document: AsyncApiDocument) {
  const text = JSON.stringify(document);
  const { document: parsed, diagnostics } = await new Parser().parse(text);
  const faults = diagnostics.filter(({ code, severity }) => severity <= 1 && !optional.has(String(code)));
  if (parsed === undefined || faults.length > 0) {
    throw new Error(
      faults.map(({ code, message, path }) => `${code} at ${path.join('/')}: ${message}`).join('\n'),
    );
  }
  return { parsed, json: JSON.parse(text) };
}

const optional = new Set([
  'asyncapi-latest-version',
  'asyncapi-id',
  'asyncapi-info-contact',
  'asyncapi-info-description',
  'asyncapi-info-license',
  'asyncapi-servers',
  'asyncapi3-tags',
]);

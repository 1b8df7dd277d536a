import { readFile } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { asyncApi } from '../asyncapi/async-api.js';
import type { AsyncApiResult } from '../asyncapi/document.js';
import { type Contract, type Definition, isDefinition } from '../contract/definition.js';
import { CommandFailure, exitCodes, usageError } from './exit-codes.js';

/** What a document says of itself where its file does not. */
export interface DocumentNames {
  readonly title?: string;
  readonly version?: string;
}

/**
 * The document of a file: an AsyncAPI 3 document in JSON, or a module that exports definitions, which is run. Rejects with a
 * usage error for a file that is neither.
 */
export async function documentOf(file: string, names: DocumentNames = {}): Promise<AsyncApiResult> {
  if (extname(file) === '.json') return { document: await written(file), warnings: [] };
  const contract = await exported(file);
  const { title = basename(file, extname(file)), version = '0.0.0' } = names;
  return asyncApi(contract, { info: { title, version } });
}

async function written(file: string): Promise<AsyncApiResult['document']> {
  let document: { asyncapi?: unknown; channels?: unknown; operations?: unknown; components?: object } | null;
  try {
    document = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw usageError(
      `${file} cannot be read as JSON: ${(error as NodeJS.ErrnoException).code ?? 'malformed'}`,
    );
  }
  const isThree = typeof document?.asyncapi === 'string' && document.asyncapi.startsWith('3.');
  const parts = [document?.channels, document?.operations, document?.components];
  if (!isThree || parts.some((part) => typeof part !== 'object' || part === null))
    throw usageError(`${file} is no AsyncAPI 3 document as \`disco-bus contract export\` writes it`);
  return document as AsyncApiResult['document'];
}

async function exported(file: string): Promise<Contract> {
  const module = await imported(file);
  const found = new Map<string, Definition>();
  const seek = (name: string, value: unknown, deeper: boolean) => {
    if (isDefinition(value)) found.set(name, value);
    else if (deeper && typeof value === 'object' && value !== null)
      for (const [inner, each] of Object.entries(value)) seek(`${name}.${inner}`, each, name === 'default');
  };
  for (const [name, value] of Object.entries(module)) seek(name, value, true);
  if (found.size > 0) return Object.fromEntries(found);
  throw usageError(`${file} exports nothing made by defineTopic or defineRequest, and no object of such`);
}

async function imported(file: string): Promise<object> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as object;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
      throw usageError(`${file} is no JavaScript: give what it is compiled to`);
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND')
      throw usageError(`${file} cannot be loaded: ${message.split('\n', 1)[0]}`);
    throw new CommandFailure(exitCodes.failed, `${file} failed as it was loaded: ${message}`);
  }
}

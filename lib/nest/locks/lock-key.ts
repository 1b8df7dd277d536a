import { ConfigurationError } from '../../errors/bus.errors.js';

/** Makes the keys to lock from the arguments of a call. */
export type LockKeyFunction = (...args: any[]) => string | readonly string[];

/** What `@WithLock` takes as its key: a key, a template such as `'order:{0.id}'`, several of them, or a function of the arguments. */
export type LockKey = string | readonly string[] | LockKeyFunction;

/** The keys for these arguments. Throws ConfigurationError when they are not to be had. */
export type LockKeyMaker = (args: readonly unknown[]) => string | readonly string[];

type Part = (args: readonly unknown[]) => string;

const placeholder = /^\d+(\.[^.\s]+)*$/;

/** Checks `key` once, so that a call only has to fill it in; throws ConfigurationError for a malformed template. */
export function compileLockKey(key: LockKey): LockKeyMaker {
  if (typeof key === 'function') return (args) => keysMadeBy(key, args);
  if (typeof key === 'string') return compileTemplate(key);
  if (!Array.isArray(key) || key.length === 0) throw new ConfigurationError('@WithLock needs a key');
  const makers = key.map(compileTemplate);
  return (args) => makers.map((make) => make(args));
}

function keysMadeBy(key: LockKeyFunction, args: readonly unknown[]): string | readonly string[] {
  try {
    return key(...args);
  } catch (cause) {
    throw new ConfigurationError('@WithLock: the function that makes the key threw', { cause });
  }
}

/** `{0}` is the first argument, `{1.customer.id}` a property within the second; `{{` and `}}` are the braces themselves. */
function compileTemplate(template: unknown): Part {
  if (typeof template !== 'string' || template === '') {
    throw new ConfigurationError('@WithLock: a key must be a string that is not empty');
  }
  const tokens = template.match(/\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+/g) ?? [];
  const parts = tokens.map((token) => compilePart(token, template));
  return (args) => parts.map((part) => part(args)).join('');
}

function compilePart(token: string, template: string): Part {
  if (token === '{{') return () => '{';
  if (token === '}}') return () => '}';
  if (!/[{}]/.test(token)) return () => token;
  const name = token.slice(1, -1);
  if (token.length > 2 && placeholder.test(name)) return argumentAt(name, template);
  throw new ConfigurationError(
    `@WithLock: ${JSON.stringify(template)} is malformed at ${JSON.stringify(token)}; name an argument as {0} or {0.id}, and write a brace itself twice`,
  );
}

function argumentAt(name: string, template: string): Part {
  const [index, ...path] = name.split('.');
  return (args) => {
    let value: unknown = args[Number(index)];
    for (const property of path) value = (value as Record<string, unknown> | null | undefined)?.[property];
    if (isPlain(value)) return String(value);
    throw new ConfigurationError(
      `@WithLock: the call has nothing for {${name}} of ${JSON.stringify(template)} that a key can be made of`,
    );
  };
}

/** Two different values of these are two different texts; an object's text says nothing. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isNaN(value);
  return (
    typeof value === 'bigint' || typeof value === 'boolean' || (typeof value === 'string' && value !== '')
  );
}

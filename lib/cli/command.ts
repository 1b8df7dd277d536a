import type { ArgsDef } from 'citty';
import type { Run } from './run.js';

/** A command, or a family of them. A family may run itself: with what is none of its commands. */
export interface Command {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What else is worth knowing before it is used. */
  readonly details?: string;
  readonly examples?: readonly string[];
  readonly args?: ArgsDef;
  readonly commands?: Readonly<Record<string, Command>>;
  /** How long it may run beyond `--timeout`, ms; Infinity for what ends by itself or with Ctrl-C. @default 0 */
  readonly patienceMs?: number;
  /** It talks to no server. */
  readonly offline?: boolean;
  readonly run?: (run: Run) => Promise<void>;
}

/** A positional argument. */
export function positional(description: string, required = true) {
  return { type: 'positional', description, required } as const;
}

/** A flag that takes a value. */
export function valued(valueHint: string, description: string) {
  return { type: 'string', valueHint, description } as const;
}

/** A flag that is there or not. */
export function flag(description: string) {
  return { type: 'boolean', description } as const;
}

/** Flags of every command. */
export const commonArgs = {
  url: valued('url', 'Where Redis is: redis://user:password@host:port/db. Default: DISCO_BUS_URL'),
  prefix: valued('name', 'What stands before every key. Default: disco'),
  cluster: flag('The url leads to a node of a Redis Cluster'),
  sentinel: valued('name', 'The url leads to a Sentinel, which knows the primary of this name'),
  'tls-ca': valued('file', 'Who signed the certificate of a rediss:// server, in PEM'),
  'tls-cert': valued('file', 'The certificate of this client, in PEM, where the server asks for one'),
  'tls-key': valued('file', 'Its key, in PEM'),
  timeout: valued('duration', 'How long the server may take to answer, as 500ms or 5s. Default: 10s'),
  json: flag('One line of JSON: every field, raw numbers, times in ISO 8601'),
  verbose: flag('What the bus logs, on stderr'),
  help: { ...flag('This text'), alias: 'h' },
} as const satisfies ArgsDef;

/** The flag of every command that changes something. */
export const consentArgs = {
  yes: flag('Do not ask; needed where there is no terminal to ask on'),
} as const satisfies ArgsDef;

/** Flags of commands whose deeds are written down for the audit. */
export const writeArgs = {
  ...consentArgs,
  by: valued('name', 'Who does it, for the audit. Default: user@host'),
} as const satisfies ArgsDef;

import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import {
  aBoolean,
  aFunction,
  aList,
  aString,
  checkedElsewhere,
  type OptionKinds,
  options as optionsWithin,
} from '../errors/option-kinds.js';

/** What of a message's payload and headers the dashboard shows: nothing, its shape without its values, or all. */
export type DashboardPayloads = 'hidden' | 'masked' | 'shown';

/** A request as the HTTP adapter of the application made it: of Express or Fastify, with what guards have put onto it. */
export interface DashboardRequest {
  readonly method: string;
  readonly url: string;
  readonly originalUrl?: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body?: unknown;
}

/** Who did what. */
export interface DashboardAuditOptions {
  /**
   * Names who sent a request, for the log and the audit; is called for each action. An action is refused where it throws or
   * gives no name. @default 'dashboard'
   */
  who?: (request: DashboardRequest) => string | Promise<string>;
}

/** Everything the dashboard can be told. Nothing is needed. */
export interface DiscoDashboardOptions extends Pick<ModuleMetadata, 'imports'> {
  /** Where it is, behind the application's global prefix. @default 'disco' */
  path?: string;
  /** The names of the buses that it shows. @default all of the application */
  buses?: string[];
  /** Whether it only looks. `false` allows all who pass the guards to pause, move and empty groups and to take locks. @default true */
  readOnly?: boolean;
  /** Guards around every route, the page's included; what they inject comes from `imports`. @default none but the application's own */
  guards?: (Type<CanActivate> | CanActivate)[];
  /** What is shown of payloads and headers. @default 'hidden' */
  payloads?: DashboardPayloads;
  audit?: DashboardAuditOptions;
  /** Origins beside the application's own from which actions may come, as `'https://ops.example.com'`. @default none */
  origins?: string[];
}

/** The same, complete. */
export interface ResolvedDashboardOptions {
  readonly path: string;
  readonly buses?: readonly string[];
  readonly readOnly: boolean;
  readonly guards: readonly (Type<CanActivate> | CanActivate)[];
  readonly payloads: DashboardPayloads;
  readonly who: (request: DashboardRequest) => string | Promise<string>;
  readonly origins: readonly string[];
  readonly imports: NonNullable<ModuleMetadata['imports']>;
}

/** Where the resolved options are provided. */
export const DASHBOARD_OPTIONS = Symbol('DISCO_DASHBOARD_OPTIONS');

const kinds: OptionKinds<DiscoDashboardOptions> = {
  path: aString,
  buses: aList,
  readOnly: aBoolean,
  guards: aList,
  payloads: checkedElsewhere,
  audit: optionsWithin<DashboardAuditOptions>({ who: aFunction }),
  origins: aList,
  imports: aList,
};

const ways: readonly DashboardPayloads[] = ['hidden', 'masked', 'shown'];

/** Throws ConfigurationError for options that cannot be. */
export function resolveDashboardOptions(given: DiscoDashboardOptions): ResolvedDashboardOptions {
  assertOptions('DiscoDashboardModule.forRoot', given, kinds, { path: '' });
  const { path = 'disco', buses, readOnly = true, guards = [], payloads = 'hidden', origins = [] } = given;
  if (!ways.includes(payloads))
    throw new ConfigurationError(`payloads must be 'hidden', 'masked' or 'shown', not ${shown(payloads)}`);
  assertEach('buses', buses ?? [], 'the name of a bus', (name) => typeof name === 'string' && name !== '');
  assertEach('guards', guards, 'a guard: a class, or an object with canActivate', isGuard);
  assertEach('origins', origins, "an origin, as 'https://ops.example.com'", isOrigin);
  return {
    path: checkedPath(path),
    buses,
    readOnly,
    guards,
    payloads,
    who: given.audit?.who ?? (() => 'dashboard'),
    origins,
    imports: given.imports ?? [],
  };
}

function checkedPath(path: string): string {
  const bare = path.replace(/^\/+|\/+$/g, '');
  if (/^[A-Za-z0-9._~-]+(\/[A-Za-z0-9._~-]+)*$/.test(bare)) return bare;
  throw new ConfigurationError(
    `path must be segments of letters, digits, ".", "_", "~" or "-", as 'ops/disco', not ${shown(path)}`,
  );
}

function assertEach(
  name: string,
  list: readonly unknown[],
  told: string,
  fits: (value: unknown) => boolean,
): void {
  const wrong = list.findIndex((each) => !fits(each));
  if (wrong >= 0) throw new ConfigurationError(`${name}[${wrong}] must be ${told}`);
}

function isGuard(value: unknown): boolean {
  if (typeof value === 'function') return true;
  return typeof (value as CanActivate | null)?.canActivate === 'function';
}

function isOrigin(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value.slice(0, 60)}'` : String(value);
}

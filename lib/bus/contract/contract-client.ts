import { entriesOf } from '../../contract/contracts.js';
import type { Contract } from '../../contract/definition.js';
import { isRequest, type RequestDefinition } from '../../contract/definition.js';
import type { RequestOptions } from '../options/bus-options.js';

/** The requests of a contract as methods, by the names that the contract gives them. */
export type ContractClient<C extends Contract> = {
  readonly [Name in keyof C as C[Name] extends RequestDefinition
    ? Name
    : never]: C[Name] extends RequestDefinition<infer Asked, any, any, infer Reply>
    ? (payload: Asked, options?: RequestOptions) => Promise<Reply>
    : never;
};

/** Sends one request. */
export type SendRequest = (
  definition: RequestDefinition,
  payload: unknown,
  options?: RequestOptions,
) => Promise<unknown>;

/** Throws ConfigurationError for what is no contract. */
export function contractClient<C extends Contract>(contract: C, send: SendRequest): ContractClient<C> {
  const methods: Record<string, unknown> = Object.create(null);
  for (const [name, definition] of entriesOf(contract)) {
    if (!isRequest(definition)) continue;
    methods[name] = (payload: unknown, options?: RequestOptions) => send(definition, payload, options);
  }
  return Object.freeze(methods) as ContractClient<C>;
}

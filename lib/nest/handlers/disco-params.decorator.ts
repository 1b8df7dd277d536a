import 'reflect-metadata';
import type { PipeTransform, Type } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { assertOptions } from '../../errors/assert-options.js';
import { aList, having, type OptionKinds } from '../../errors/option-kinds.js';
import { isSchema } from '../../middleware/schema-check.js';

/** A pipe, or the class of one. */
export type PayloadPipe = PipeTransform | Type<PipeTransform>;

/** What {@link DiscoPayload} takes beside a path and pipes. */
export interface DiscoPayloadOptions {
  /** Handed to Nest's StandardSchemaValidationPipe as the parameter's schema. Needs Nest 12. */
  schema?: StandardSchemaV1;
  pipes?: PayloadPipe[];
}

const payloadKinds: OptionKinds<DiscoPayloadOptions> = {
  schema: { told: 'a Standard Schema', fits: isSchema },
  pipes: {
    told: 'an array of pipes',
    fits: (value) => aList.fits(value) && (value as unknown[]).every(isPipe),
  },
};

/** A class is looked at by Nest, which makes it. */
function isPipe(value: unknown): boolean {
  return typeof value === 'function' || having('a pipe', 'transform').fits(value);
}

/** One decorated parameter, in the shape that Nest's context creators read. */
export interface ParamMetadata {
  readonly index: number;
  readonly data?: string;
  readonly pipes: readonly PayloadPipe[];
  readonly schema?: StandardSchemaV1;
}

/** Nest's own key for parameter decorators, so that those made with `createParamDecorator` work beside these. */
const NEST_PARAMS = '__routeArguments__';
/** Parameters of a method that decorates none. */
const DEFAULT_PARAMS = 'disco-bus:default-params';

/** The numbers are those of Nest's microservices, so that pipes take the payload for a `body`. */
export const ParamType = { payload: 3, context: 6 } as const;

/**
 * Injects the payload, or what lies at `path` in it (`'customer.id'`; undefined where there is nothing), through the
 * given pipes.
 */
export function DiscoPayload(
  path: string,
  ...pipes: (PayloadPipe | DiscoPayloadOptions)[]
): ParameterDecorator;
export function DiscoPayload(...pipes: (PayloadPipe | DiscoPayloadOptions)[]): ParameterDecorator;
export function DiscoPayload(...args: (string | PayloadPipe | DiscoPayloadOptions)[]): ParameterDecorator {
  const data = typeof args[0] === 'string' ? args[0] : undefined;
  const pipes: PayloadPipe[] = [];
  let schema: StandardSchemaV1 | undefined;
  for (const arg of args) {
    if (isPayloadOptions(arg)) {
      assertOptions('@DiscoPayload', arg, payloadKinds);
      schema ??= arg.schema;
      pipes.push(...(arg.pipes ?? []));
    } else if (typeof arg !== 'string' && arg) pipes.push(arg);
  }
  return paramDecorator(ParamType.payload, { data, pipes, schema });
}

/** Injects the message's context: a {@link DiscoMessageContext}. */
export function DiscoContext(): ParameterDecorator {
  return paramDecorator(ParamType.context, { pipes: [] });
}

/** Lets pipes see the payload of a method that decorates no parameter: it gets `(payload, context)`. */
export function defaultParams(target: object, method: string | symbol): void {
  const params = {
    [`${ParamType.payload}:0`]: { index: 0, pipes: [] },
    [`${ParamType.context}:1`]: { index: 1, pipes: [] },
  };
  Reflect.defineMetadata(DEFAULT_PARAMS, params, target.constructor, method);
}

/** The parameters of a method, and the key they are kept under. */
export function paramsOf(
  type: Function,
  method: string,
): { key: string; params: Record<string, ParamMetadata> } {
  const decorated = Reflect.getMetadata(NEST_PARAMS, type, method);
  if (decorated && Object.keys(decorated).length > 0) return { key: NEST_PARAMS, params: decorated };
  return { key: DEFAULT_PARAMS, params: Reflect.getMetadata(DEFAULT_PARAMS, type, method) ?? {} };
}

/** What a parameter gets of a message. */
export function paramValue(type: number, path: string | undefined, args: readonly unknown[]): unknown {
  if (type === ParamType.context) return args[1];
  if (type !== ParamType.payload) return undefined;
  return path === undefined ? args[0] : valueAt(args[0], path);
}

function paramDecorator(type: number, metadata: Omit<ParamMetadata, 'index'>): ParameterDecorator {
  return (target, method, index) => {
    const others = Reflect.getMetadata(NEST_PARAMS, target.constructor, method!) ?? {};
    const params = { ...others, [`${type}:${index}`]: { index, ...metadata } };
    Reflect.defineMetadata(NEST_PARAMS, params, target.constructor, method!);
  };
}

function isPayloadOptions(arg: unknown): arg is DiscoPayloadOptions {
  if (typeof arg !== 'object' || arg === null || typeof (arg as PipeTransform).transform === 'function')
    return false;
  return true;
}

/** Only a value's own properties: a path off the wire's object never leads to a prototype. */
function valueAt(value: unknown, path: string): unknown {
  let at = value;
  for (const key of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

import 'reflect-metadata';
import { type ExecutionContext, Injectable } from '@nestjs/common';
import type { ContextId } from '@nestjs/core';
import { ApplicationConfig, ContextIdFactory, ExternalContextCreator, ModuleRef } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import type { MessageHandler } from '../../bus/options/bus-options.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import { decisiveFailure, notePipeFailures } from '../../transport/pipe-failures.js';
import { ParamType, paramsOf, paramValue } from './disco-params.decorator.js';
import type { Enhancers } from './disco-subscribe.decorator.js';
import { DISCO_CONTEXT_TYPE, HandlerExecutionContext } from './handler-arguments-host.js';
import type { HandlerMethod, InstanceWrapper } from './handler-explorer.js';
import { type FailureFilter, failureFilter } from './handler-filters.js';

type Run = (payload: unknown, context: DiscoMessageContext) => unknown;

const ENHANCERS = ['__guards__', '__interceptors__', '__pipes__', '__exceptionFilters__'];
const paramsFactory = {
  exchangeKeyForValue: (type: number, path: any, args: any) => paramValue(type, path, args),
};

/** What is Nest's own of a creator of contexts, as far as it is varied here. */
interface ContextParts {
  getContextModuleKey(type: Function): string;
  guardsConsumer: ConsumerParts;
  interceptorsConsumer: ConsumerParts;
  guardsContextCreator: object;
  interceptorsContextCreator: object;
  pipesContextCreator: object;
}

interface ConsumerParts {
  createContext(args: unknown[]): ExecutionContext;
}

/** The same object, with some of its members replaced. */
function varied<Of extends object>(original: Of, replaced: Partial<Of> | object): Of {
  return Object.assign(Object.create(original), replaced);
}

/** Makes of a method what a bus can call, within Nest's guards, pipes, interceptors, filters and scopes. */
@Injectable()
export class HandlerRunner {
  constructor(
    private readonly contexts: ExternalContextCreator,
    private readonly config: ApplicationConfig,
  ) {
    notePipeFailures();
  }

  /** A method that nothing surrounds is called directly: Nest's context costs half a microsecond. */
  handlerFor(handler: HandlerMethod, enhancers: Enhancers): MessageHandler {
    const scoped = enhancers === 'all' && this.scopedGlobals().length > 0;
    if (handler.instance === undefined || scoped) return this.perMessage(handler, enhancers);
    const direct = this.direct(handler, handler.instance, enhancers);
    if (direct) return direct;
    const run = this.surrounded(handler, handler.instance, enhancers);
    return filtered(run, this.failureFilter(handler, enhancers));
  }

  /** The global guards, pipes, interceptors and filters of the application, by name. */
  get globals(): string[] {
    const { config } = this;
    const kinds: [kind: string, made: object[], perMessage: InstanceWrapper[]][] = [
      ['guard', config.getGlobalGuards(), config.getGlobalRequestGuards()],
      ['pipe', config.getGlobalPipes(), config.getGlobalRequestPipes()],
      ['interceptor', config.getGlobalInterceptors(), config.getGlobalRequestInterceptors()],
      ['filter', config.getGlobalFilters(), config.getGlobalRequestFilters()],
    ];
    return kinds.flatMap(([kind, made, perMessage]) => [
      ...made.map((each) => `${kind} ${each.constructor.name}`),
      ...perMessage.map((each) => `${kind} ${each.metatype?.name}`),
    ]);
  }

  private failureFilter(handler: HandlerMethod, enhancers: Enhancers, contextId?: ContextId) {
    if (enhancers === false) return undefined;
    return failureFilter(enhancers === 'all' ? this.config : undefined, handler, contextId);
  }

  private direct({ type, method }: HandlerMethod, instance: object, enhancers: Enhancers): Run | undefined {
    if (enhancers === 'all' && this.hasGlobals()) return undefined;
    if (enhancers !== false && ENHANCERS.some((key) => isEnhanced(key, type, method))) return undefined;
    const params = Object.entries(paramsOf(type, method).params).map(
      ([key, { index, data, pipes, schema }]) => ({
        type: Number(key.split(':')[0]),
        index,
        path: data,
        plain: pipes.length === 0 && schema === undefined,
      }),
    );
    const known = [ParamType.payload, ParamType.context] as number[];
    if (params.some((param) => !param.plain || !known.includes(param.type))) return undefined;
    const target = instance as Record<string, (...args: unknown[]) => unknown>;
    if (isPayloadThenContext(params)) {
      if (params.length === 1) return (payload) => settled(target[method](payload));
      return (payload, context) => settled(target[method](payload, context));
    }
    return (...message) => {
      const args: unknown[] = [];
      for (const param of params) args[param.index] = paramValue(param.type, param.path, message);
      return settled(target[method](...args));
    };
  }

  private surrounded(
    handler: HandlerMethod,
    instance: object,
    enhancers: Enhancers,
    contextId?: ContextId,
  ): Run {
    const { method, type, wrapper } = handler;
    const callback = callableOf(handler, instance);
    const { key } = paramsOf(type, method);
    const inquirer = contextId && wrapper.id;
    const surrounds = enhancers !== false;
    return this.contextsWithin(handler, enhancers).create(
      instance as Record<string, any>,
      callback,
      method,
      key,
      paramsFactory,
      contextId,
      inquirer,
      // Filters are ours to run.
      { guards: surrounds, interceptors: surrounds, filters: false },
      DISCO_CONTEXT_TYPE,
    );
  }

  /**
   * Nest's creator of contexts, in three places different. It looks for the module of an external handler among providers
   * alone: a controller's would not be found, and the guards bound to it by their class would be skipped without a word. What
   * guards and interceptors are told is our own. And global enhancers may be left out.
   */
  private contextsWithin(
    { wrapper: { host }, type, method }: HandlerMethod,
    enhancers: Enhancers,
  ): ExternalContextCreator {
    const contexts = varied(this.contexts as unknown as ContextParts, {
      getContextModuleKey: () => host?.token ?? '',
    });
    const createContext: ConsumerParts['createContext'] = (args) =>
      new HandlerExecutionContext(args, type, type.prototype[method]);
    contexts.guardsConsumer = varied(contexts.guardsConsumer, { createContext });
    contexts.interceptorsConsumer = varied(contexts.interceptorsConsumer, { createContext });
    if (enhancers === 'all') return contexts as unknown as ExternalContextCreator;
    const getGlobalMetadata = () => [];
    contexts.guardsContextCreator = varied(contexts.guardsContextCreator, { getGlobalMetadata });
    contexts.interceptorsContextCreator = varied(contexts.interceptorsContextCreator, { getGlobalMetadata });
    const create = enhancers === false ? { create: () => [] } : { getGlobalMetadata };
    contexts.pipesContextCreator = varied(contexts.pipesContextCreator, create);
    return contexts as unknown as ExternalContextCreator;
  }

  /** An instance for each message, with its context as the REQUEST, and the enhancers that go with it. */
  private perMessage(handler: HandlerMethod, enhancers: Enhancers): Run {
    return async (payload, context) => {
      const contextId = contextIdOf(handler, context);
      const instance = await this.instanceFor(handler, enhancers, contextId);
      const run = this.surrounded(handler, instance, enhancers, contextId);
      return filtered(run, this.failureFilter(handler, enhancers, contextId))(payload, context);
    };
  }

  private async instanceFor(
    { instance, moduleRef, wrapper }: HandlerMethod,
    enhancers: Enhancers,
    contextId: ContextId,
  ): Promise<object> {
    if (enhancers === 'all') for (const each of this.scopedGlobals()) await resolve(each, contextId);
    return instance ?? (await moduleRef.resolve(wrapper.token as string, contextId, { strict: true }));
  }

  private hasGlobals(): boolean {
    const { config } = this;
    const globals: object[][] = [
      config.getGlobalGuards(),
      config.getGlobalInterceptors(),
      config.getGlobalPipes(),
      config.getGlobalFilters(),
    ];
    return globals.some((each) => each.length > 0);
  }

  private scopedGlobals(): InstanceWrapper[] {
    const { config } = this;
    return [
      ...config.getGlobalRequestGuards(),
      ...config.getGlobalRequestInterceptors(),
      ...config.getGlobalRequestPipes(),
      ...config.getGlobalRequestFilters(),
    ];
  }
}

/** A message's own context id; durable providers get the one that the application's strategy gives them. */
function contextIdOf({ wrapper, moduleRef }: HandlerMethod, context: DiscoMessageContext): ContextId {
  const contextId = ContextIdFactory.getByRequest(context as unknown as Record<string, unknown>);
  const durable = wrapper.isDependencyTreeDurable();
  moduleRef.registerRequestByContextId(durable ? contextId.payload : context, contextId);
  return contextId;
}

async function resolve({ host, token }: InstanceWrapper, contextId: ContextId): Promise<void> {
  const moduleRef = host?.providers.get(ModuleRef)?.instance as ModuleRef;
  await moduleRef.resolve(token as string, contextId, { strict: true });
}

function filtered(run: Run, filter: FailureFilter | undefined): Run {
  return async (payload, context) => {
    try {
      return await run(payload, context);
    } catch (error) {
      const thrown: unknown = await filter?.(error, [payload, context]).catch((other: unknown) => other);
      throw decisiveFailure(error, thrown);
    }
  };
}

/**
 * The method as Nest calls it. Where the instance is a Proxy that hands out functions of its own, they carry none of the
 * metadata by which Nest finds guards, pipes and interceptors: those are the method's in any case.
 */
function callableOf({ type, method }: HandlerMethod, instance: object): (...args: unknown[]) => unknown {
  const declared = type.prototype[method];
  const found = (instance as Record<string, any>)[method];
  if (found === declared) return declared;
  const call = (...args: unknown[]) => found.apply(instance, args);
  return Object.setPrototypeOf(call, declared);
}

function isEnhanced(key: string, type: Function, method: string): boolean {
  return Reflect.hasMetadata(key, type) || Reflect.hasMetadata(key, type.prototype[method]);
}

function isPayloadThenContext(params: readonly { type: number; index: number; path?: string }[]): boolean {
  const at = (index: number) => params.find((param) => param.index === index);
  return (
    params.length <= 2 &&
    params.every(({ path }) => path === undefined) &&
    at(0)?.type === ParamType.payload &&
    (params.length === 1 || at(1)?.type === ParamType.context)
  );
}

function settled(result: unknown): unknown {
  return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
}

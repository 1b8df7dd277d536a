import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer, SerializedGraph } from '@nestjs/core';
import type { DeclaredSubscription } from '../../bus/consume/subscription.js';
import type { MessageHandler } from '../../bus/options/bus-options.js';
import { callGuest } from '../../errors/guest.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import type { HandlerMethod } from './handler-explorer.js';

/** As that of the transport, which need not be installed. */
const DISCO_BUS = Symbol.for('DISCO_BUS');

type StartHook = (transportId: symbol, run: HandlerRun, done: () => Promise<void>) => unknown;
type EndHook = (transportId: symbol, run: HandlerRun) => unknown;

/** The part of Nest's container by which tools such as NestJS Observe find what handles messages; not in every version. */
interface RpcTargets {
  addRpcTarget?(target: {
    setOnProcessingStartHook(hook: StartHook): void;
    setOnProcessingEndHook(hook: EndHook): void;
  }): void;
}

/**
 * What a hook is told of one run of a handler. It has neither headers nor metadata: tools take the trace's id from them, and
 * the runs of one message, or of one request's messages, would have the same.
 */
export class HandlerRun {
  constructor(
    private readonly pattern: string,
    private readonly args: readonly unknown[],
  ) {}

  /** The topic or topic pattern of the handler. */
  getPattern(): string {
    return this.pattern;
  }

  /** The payload, and the context that the handler is given. */
  getArgs(): readonly unknown[] {
    return this.args;
  }

  getArgByIndex(index: number): unknown {
    return this.args[index];
  }
}

/**
 * Shows the handlers to Nest's own tools: their runs to those that hook into microservices, as NestJS Observe does, and the handlers
 * themselves to the devtools, in the graph that Nest keeps where the application was made with `snapshot: true`.
 */
@Injectable()
export class NestTools implements OnModuleInit {
  private start: StartHook | undefined;
  private end: EndHook | undefined;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly graph: SerializedGraph,
  ) {}

  onModuleInit(): void {
    (this.modules as RpcTargets).addRpcTarget?.({
      setOnProcessingStartHook: (hook) => {
        this.start = hook;
      },
      setOnProcessingEndHook: (hook) => {
        this.end = hook;
      },
    });
  }

  /** `call` itself where nobody has set a hook before the application was initialized. */
  around(topic: string, call: MessageHandler): MessageHandler {
    const { start, end } = this;
    if (start === undefined) return call;
    return (payload: unknown, context: DiscoMessageContext) => {
      const run = new HandlerRun(topic, [payload, context]);
      return hookedRun({ start, end }, run, () => call(payload, context));
    };
  }

  /** Puts a handler into the graph, as Nest does with those of microservices. Nothing, where no graph is kept. */
  insert({ type, method, wrapper }: HandlerMethod, bus: string, declared: DeclaredSubscription): void {
    if (this.graph.getNodeById(wrapper.id) === undefined) return;
    const { topic, group, delivery } = declared;
    const entrypoint = {
      id: `${wrapper.id}_${method}`,
      type: 'microservice',
      methodName: method,
      className: type.name,
      classNodeId: wrapper.id,
      metadata: {
        ...{ key: topic, transportId: DISCO_BUS.description, patterns: [topic], isEventHandler: true },
        ...{ bus, topic, guarantee: delivery },
        ...(delivery === 'at-least-once' && { group }),
      },
    };
    this.graph.insertEntrypoint(entrypoint, wrapper.id);
  }
}

/** Settles as `call` does, which is called once, also where a hook fails. The end hook runs in the async context of `done`. */
function hookedRun(
  hooks: { start: StartHook; end: EndHook | undefined },
  run: HandlerRun,
  call: () => unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let begun: Promise<void> | undefined;
    const work = async () => {
      try {
        resolve(await call());
      } catch (error) {
        reject(error);
      } finally {
        callGuest(hooks.start, 'The end hook', () => hooks.end?.(DISCO_BUS, run));
      }
    };
    const done = () => {
      begun ??= work();
      return begun;
    };
    callGuest(hooks.start, 'The start hook', async () => {
      try {
        await hooks.start(DISCO_BUS, run, done);
      } catch (error) {
        void done();
        throw error;
      }
    });
  });
}

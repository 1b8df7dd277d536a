import { AsyncLocalStorage } from 'node:async_hooks';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer, SerializedGraph } from '@nestjs/core';
import { DiscoBusModule, DiscoBusService, DiscoSubscribe } from 'nestjs-disco-bus';
import { type HandlerRun, NestTools } from '../../lib/nest/handlers/nest-tools.js';
import { Collector } from '../support/collector.js';
import { sourceFlags } from '../support/source-process.js';
import { until } from '../support/waiting.js';
import { closeApps, startApp } from './support.js';

/** Batches that Observe has sent. */
const batches = new Collector<any>();
const collector = createServer((request, response) => {
  void buffer(request).then((body) => {
    batches.add(JSON.parse(gunzipSync(body).toString()));
    response.writeHead(201, { 'content-type': 'application/json' }).end('{}');
  });
});
let endpoint: string;
beforeAll(async () => {
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});
afterAll(() => {
  collector.close();
  collector.closeAllConnections();
});

const started: ChildProcess[] = [];
afterEach(() => {
  for (const each of started.splice(0)) each.kill('SIGKILL');
  batches.values.length = 0;
});

/** The application, once it has told of the first message that it has handled. */
async function observed(mode: 'instrument' | 'plain') {
  const child = spawn(process.execPath, [...sourceFlags, 'test/nest/observed-application.ts', mode], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, NO_COLOR: '1', OBSERVE_ENDPOINT: endpoint },
  });
  started.push(child);
  const exited = once(child, 'exit');
  const told = once(child, 'message');
  let errors = '';
  child.stderr!.on('data', (chunk) => {
    errors += chunk;
  });
  child.stdout!.resume();
  const early = exited.then(() => Promise.reject(new Error(`it has ended: ${errors}`)));
  early.catch(() => {});
  const [handled] = await Promise.race([told, early]);
  return { child, handled, exited, errors: () => errors };
}

const runs = () => batches.values.flatMap(({ snapshots }) => snapshots ?? []);

describe('NestJS Observe', () => {
  it('has each run of a handler, with what it called and how it failed, as a trace of its own', async () => {
    const { child, handled, exited } = await observed('instrument');
    expect(handled).toEqual({ handled: 'a fog machine' });
    await until('both runs have been sent', () => runs().length === 2, 20_000);
    const [fine, failed] = runs().sort((a, b) => (a.e ? 1 : 0) - (b.e ? 1 : 0));
    for (const { p: protocol, op: operation, ti: traceId } of [fine, failed]) {
      expect({ protocol, operation }).toEqual({ protocol: 'DISCO_BUS', operation: 'orders.placed' });
      expect(traceId).not.toBe('of-the-publisher');
    }
    expect(fine.ti).not.toBe(failed.ti);
    const called = { c: 'Orders', m: 'bill', ch: [expect.objectContaining({ c: 'Prices', m: 'of' })] };
    expect(fine.t).toEqual([expect.objectContaining(called)]);
    expect(failed.t).toEqual([expect.objectContaining(called)]);
    expect(fine.e).toBeUndefined();
    expect(failed.e).toMatchObject({ message: 'there are no unicorns', cls: 'Error' });
    child.send('close');
    expect((await exited)[0]).toBe(0);
  }, 60_000);

  it('without `instrument` sends no run and says so, and the handlers run all the same', async () => {
    const { child, handled, exited, errors } = await observed('plain');
    expect(handled).toEqual({ handled: 'a fog machine' });
    const unseen = /Operation "orders.placed" produced no spans/g;
    await until('Observe has looked for both', () => errors().match(unseen)?.length === 2);
    expect(errors()).toContain('Error: there are no unicorns');
    expect(runs()).toEqual([]);
    child.send('close');
    expect((await exited)[0]).toBe(0);
  }, 60_000);
});

describe('Processing hooks of tools', () => {
  const seen: string[] = [];
  const storage = new AsyncLocalStorage<string>();
  type Hook = (id: symbol, run: HandlerRun, done: () => Promise<void>) => unknown;

  @Injectable()
  class Orders {
    @DiscoSubscribe('orders', { delivery: 'at-most-once' })
    handle(order: number) {
      seen.push(`handled ${order} in ${storage.getStore()}`);
    }
  }

  async function appWith(start: Hook) {
    @Injectable()
    class Tool implements OnModuleInit {
      constructor(private readonly modules: ModulesContainer) {}
      onModuleInit() {
        this.modules.getRpcTargetRegistry<any>().subscribe((target: any) => {
          target.setOnProcessingStartHook(start);
          target.setOnProcessingEndHook((_: symbol, run: HandlerRun) =>
            seen.push(`ended ${run.getPattern()} ${run.getArgByIndex(0)} in ${storage.getStore()}`),
          );
        });
      }
    }
    const app = await startApp({
      imports: [DiscoBusModule.forRoot({ url: 'memory:', service: 'shop', metrics: false })],
      providers: [Tool, Orders],
    });
    await app.get(DiscoBusService).publish('orders', 1, { delivery: 'at-most-once' });
    await until('it has ended', () => seen.some((each) => each.startsWith('ended')));
    await app.close();
  }
  afterEach(closeApps);
  beforeEach(() => {
    seen.length = 0;
  });

  const fails = () => {
    throw new Error('a tool that fails');
  };
  const hooks: Record<string, [Hook, told: boolean, within: string | undefined]> = {
    'begin it in a context of their own, which the end is in too': [
      (_id, _run, done) => storage.run('the tool', done),
      false,
      'the tool',
    ],
    'begin it later': [
      (_id, _run, done) => void setImmediate(() => storage.run('later', () => void done())),
      false,
      'later',
    ],
    'begin it twice': [
      (_id, _run, done) => Promise.all([storage.run('once', done), storage.run('twice', done)]),
      false,
      'once',
    ],
    'fail at once': [fails, true, undefined],
    reject: [async () => fails(), true, undefined],
    'fail after they have begun it': [
      (_id, _run, done) => {
        void storage.run('begun', done);
        fails();
      },
      true,
      'begun',
    ],
  };

  it.each(Object.entries(hooks))('%s: the handler runs once', async (_, [hook, isTold, within]) => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    await appWith(hook);
    const codes = warned.mock.calls.map(([, options]) => (options as unknown as { code: string }).code);
    warned.mockRestore();
    expect(seen).toEqual([`handled 1 in ${within}`, `ended orders 1 in ${within}`]);
    expect(codes).toEqual(isTold ? ['DISCO_GUEST'] : []);
  });

  it('cost nothing where nobody has set them', () => {
    const tools = new NestTools(new ModulesContainer(), new SerializedGraph());
    tools.onModuleInit();
    const call = () => 1;
    expect(tools.around('orders', call)).toBe(call);
  });
});

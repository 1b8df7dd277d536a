import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { RedisServer } from '../support/redis-server.js';
import { bundledProgram } from '../support/source-process.js';
import { full, report } from './fault-report.js';

type Step = [key: string, n: number];

const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
const steps = full ? 400 : 80;
const kills = full ? 10 : 3;

/** A consumer process, and what it told. */
class Member {
  readonly ended: Step[] = [];
  readonly ready: Promise<void>;
  readonly exited: Promise<unknown>;
  private readonly process: ChildProcess;

  constructor(url: string, onTold: (begun: Step | undefined, ended: Step | undefined) => void) {
    this.process = fork(bundledProgram(join(__dirname, 'streams-order-consumer.ts')), [url], {
      execArgv: [],
    });
    this.exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.ready = new Promise((resolve) => {
      this.process.on(
        'message',
        ({ ready, begun, ended }: { ready?: boolean; begun?: Step; ended?: Step }) => {
          if (ready) resolve();
          if (ended) this.ended.push(ended);
          onTold(begun, ended);
        },
      );
    });
  }

  kill(): Promise<unknown> {
    this.process.kill('SIGKILL');
    return this.exited;
  }
}

it('messages of one key stay in order while the processes that handle them are killed', async () => {
  const server = await RedisServer.start();
  const bus = new DiscoBus({ driver: redisDriver({ url: server.url }) });
  const done = new Map<string, number>();
  let overtaken = 0;
  let repeated = 0;
  let told = () => {};
  /** A message may come again after a crash, but never before its forerunner of the same key was handled. */
  const onTold = (begun: Step | undefined, ended: Step | undefined) => {
    if (begun && begun[1] > (done.get(begun[0]) ?? -1) + 1) overtaken++;
    if (ended && ended[1] <= (done.get(ended[0]) ?? -1)) repeated++;
    if (ended) done.set(ended[0], Math.max(ended[1], done.get(ended[0]) ?? -1));
    told();
  };
  const handled = () => keys.reduce((sum, key) => sum + (done.get(key) ?? -1) + 1, 0);
  const until = async (count: number) => {
    while (handled() < count) await new Promise<void>((resolve) => (told = resolve));
  };
  const members: Member[] = [];
  try {
    await bus.start();
    for (let n = 0; n < steps; n++) {
      await Promise.all(
        keys.map((key) => bus.publish('steps', [key, n], { delivery: 'at-least-once', key })),
      );
    }
    for (let life = 0; life <= kills; life++) {
      const member = new Member(server.url, onTold);
      members.push(member);
      await member.ready;
      await until(Math.floor(((life + 1) / (kills + 1)) * steps * keys.length));
      if (life < kills) await member.kill();
    }
  } finally {
    await Promise.all(members.map((member) => member.kill()));
    await bus.stop();
    await server.stop();
  }
  const lost = steps * keys.length - handled();
  const pass = overtaken === 0 && lost === 0;
  report({
    engine: 'streams',
    sent: steps * keys.length,
    faults: kills,
    lost,
    duplicated: repeated,
    overtaken,
    pass,
  });
  expect({ overtaken, lost }).toEqual({ overtaken: 0, lost: 0 });
}, 120_000);

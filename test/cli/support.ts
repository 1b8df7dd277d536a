import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import type { DiscoBusOptions } from '../../lib/bus/options/bus-options.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import type { RedisDriverOptions } from '../../lib/drivers/redis/redis-options.js';
import { RedisServer } from '../support/redis-server.js';
import { bundledProgram } from '../support/source-process.js';
import { until } from '../support/waiting.js';

const root = join(__dirname, '../..');

/** What a run of the command line has printed so far, and what it ended with. */
export class CommandRun {
  stdout = '';
  stderr = '';
  readonly ended: Promise<number | null>;

  constructor(readonly process: ChildProcess) {
    process.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    process.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.ended = new Promise((resolve) => process.once('close', resolve));
  }

  /** The lines of JSON that were printed. */
  get lines(): any[] {
    return this.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  printed(text: string | RegExp, timeoutMs = 15_000): Promise<void> {
    const has = () => (typeof text === 'string' ? this.stdout.includes(text) : text.test(this.stdout));
    return until(`${text} on stdout; there is ${this.stdout} ${this.stderr}`, has, timeoutMs);
  }
}

/** What a run ended with. */
export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What was printed, where it is JSON. */
  readonly json: any;
}

/** The command line against one server, in processes of its own, as a user types it. */
export class CommandLine {
  private readonly runs: CommandRun[] = [];

  constructor(private readonly env: () => Record<string, string>) {}

  /** The words with which a shell runs it: from one file, it starts as fast as the built one. */
  static readonly words: readonly string[] = [
    process.execPath,
    bundledProgram(join(root, 'lib/cli/main.ts')),
  ];

  start(args: readonly string[], env: Record<string, string> = {}): CommandRun {
    const [node, ...flags] = CommandLine.words;
    const child = spawn(node, [...flags, ...args], {
      env: { PATH: process.env.PATH, ...this.env(), ...env },
      stdio: 'pipe',
    });
    const run = new CommandRun(child);
    this.runs.push(run);
    return run;
  }

  async run(args: readonly string[], { env = {}, input = '' } = {}): Promise<Ended> {
    const run = this.start(args, env);
    run.process.stdin?.end(input);
    const exitCode = await run.ended;
    const { stdout, stderr } = run;
    return {
      exitCode,
      stdout,
      stderr,
      get json() {
        return JSON.parse(stdout);
      },
    };
  }

  /** Runs it and returns its JSON; throws where it did not end well. */
  async ask(...args: string[]): Promise<any> {
    const { exitCode, stdout, stderr } = await this.run([...args, '--json']);
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
    return JSON.parse(stdout);
  }

  async stop(): Promise<void> {
    for (const run of this.runs.splice(0)) {
      if (run.process.exitCode === null) run.process.kill('SIGKILL');
      await run.ended;
    }
  }
}

const silent = { log() {}, warn() {}, error() {} };

/** Buses of the services whose topics the command line looks at; stopped after each test. */
export class Services {
  private readonly buses: DiscoBus[] = [];

  constructor(private readonly url: () => string) {}

  async start(
    service: string,
    options: Partial<DiscoBusOptions> = {},
    driver: RedisDriverOptions = {},
  ): Promise<DiscoBus> {
    const bus = new DiscoBus({
      driver: redisDriver({ url: this.url(), ...driver }),
      service,
      logger: silent,
      shutdownTimeout: 500,
      ...options,
    });
    this.buses.push(bus);
    await bus.start();
    return bus;
  }

  /** Makes a group that nobody reads. */
  async group(topic: string, group: string): Promise<void> {
    const bus = await this.start(group);
    await (await bus.subscribe(topic, () => undefined, { group })).close();
    await bus.stop();
  }

  async stop(): Promise<void> {
    await Promise.all(this.buses.splice(0).map((bus) => bus.stop()));
  }
}

/** What the specs of one `describe` work with; there from the first test on. */
export interface CliStage {
  readonly cli: CommandLine;
  readonly services: Services;
  server: RedisServer;
  /** A plain client of the same server. */
  admin: Redis;
}

/** A server for the `describe` that this is called in; after each test all that was started is stopped, and it is emptied. */
export function cliStage(...serverArgs: string[]): CliStage {
  const stage = {
    cli: new CommandLine(() => ({ DISCO_BUS_URL: stage.server.url })),
    services: new Services(() => stage.server.url),
  } as CliStage;
  beforeAll(async () => {
    stage.server = await RedisServer.start(...serverArgs);
    stage.admin = new Redis(stage.server.url);
  });
  afterEach(async () => {
    await Promise.all([stage.cli.stop(), stage.services.stop()]);
    await stage.admin.flushall();
  });
  afterAll(async () => {
    stage.admin.disconnect();
    await stage.server.stop();
  });
  return stage;
}

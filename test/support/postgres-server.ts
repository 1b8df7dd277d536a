import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, type Pool, type PoolClient } from 'pg';
import { freePort } from './redis-server.js';
import { pause } from './waiting.js';

const run = promisify(execFile);
const root = join(__dirname, '../..');

/** A PostgreSQL of the test's own, without durability: it is killed in the end. */
export class PostgresServer {
  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly process: ChildProcess,
  ) {}

  /** Starts one on a free port, in a folder of its own, and resolves when it answers. */
  static async start(): Promise<PostgresServer> {
    const { stdout } = await run(join(root, 'test/support/postgres.sh'), [], { cwd: root });
    const bin = stdout.trim();
    const directory = await mkdtemp(join(tmpdir(), 'disco-postgres-'));
    const as = await owner(directory);
    const data = join(directory, 'data');
    const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--locale=C'];
    await run(...as(join(bin, 'initdb'), init), { cwd: directory });
    const port = await freePort();
    const settings = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=60'];
    const args = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', directory];
    const command = as(join(bin, 'postgres'), [...args, ...settings.flatMap((each) => ['-c', each])]);
    const server = new PostgresServer(
      port,
      directory,
      spawn(...command, { stdio: 'ignore', cwd: directory }),
    );
    await server.answering();
    return server;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** Ends the server at once and removes its folder. */
  async stop(): Promise<void> {
    const { process } = this;
    if (process.exitCode === null && process.signalCode === null) {
      const exited = new Promise((resolve) => process.once('exit', resolve));
      process.kill('SIGQUIT');
      await exited;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  private async answering(): Promise<void> {
    for (let attempt = 0; attempt < 400; attempt++) {
      if (this.process.exitCode !== null) throw new Error(`postgres exited with ${this.process.exitCode}`);
      const client = new Client({ connectionString: this.url });
      try {
        await client.connect();
        await client.end();
        return;
      } catch {
        await pause(25);
      }
    }
    throw new Error(`postgres on port ${this.port} did not answer`);
  }
}

type Command = [file: string, args: string[]];

/** PostgreSQL refuses to run as root: then the user `nobody` or `postgres` owns the folder and runs it. */
async function owner(directory: string): Promise<(file: string, args: string[]) => Command> {
  if (process.getuid?.() !== 0) return (file, args) => [file, args];
  const user = await run('id', ['-u', 'postgres']).then(
    () => 'postgres',
    () => 'nobody',
  );
  await run('chown', [user, directory]);
  await chmod(directory, 0o700);
  // `setpriv` becomes the server, so that a signal to it reaches the server itself.
  const ids = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, user])));
  const [uid, gid] = ids.map(({ stdout }) => stdout.trim());
  return (file, args) => ['setpriv', [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', file, ...args]];
}

/** Commits what `work` does, or none of it. */
export async function inTransaction<T>(pool: Pool, work: (tx: PoolClient) => Promise<T>): Promise<T> {
  const tx = await pool.connect();
  try {
    await tx.query('BEGIN');
    const result = await work(tx);
    await tx.query('COMMIT');
    return result;
  } catch (error) {
    await tx.query('ROLLBACK');
    throw error;
  } finally {
    tx.release();
  }
}

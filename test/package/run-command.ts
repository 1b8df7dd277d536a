import { type ExecFileException, execFile } from 'node:child_process';

/** Where a command is run, and how long it may take. */
export interface CommandOptions {
  readonly cwd: string;
  /** @default 60000 */
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** How a command ended and all it printed, both streams together. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly output: string;
}

/** Runs a command to its end, whatever that is; one that takes too long is killed and counts as failed. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { cwd, timeoutMs = 60_000, env = process.env } = options;
  return new Promise((resolve) => {
    const settings = {
      cwd,
      env,
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: 32 * 1024 * 1024,
    };
    execFile(command, args, settings, (error: ExecFileException | null, stdout, stderr) => {
      const killed = error?.killed ? `\nkilled after ${timeoutMs} ms` : '';
      const exitCode = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
      resolve({ exitCode, stdout, output: `${stdout}${stderr}${killed}` });
    });
  });
}

/** The same for a command that must succeed: throws what it printed, after `failure`, when it does not. */
export async function mustRun(
  command: string,
  args: readonly string[],
  options: CommandOptions & { readonly failure?: string },
): Promise<CommandResult> {
  const result = await runCommand(command, args, options);
  if (result.exitCode === 0) return result;
  const line = [command, ...args].join(' ');
  throw new Error(`${options.failure ?? 'A command failed'}: ${line}\n${result.output}`);
}

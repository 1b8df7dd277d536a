import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandFailure, exitCodes, usageError } from './exit-codes.js';

/**
 * What the user's editor makes of a text. The file that it edits is for nobody else to read, and is gone afterwards. Rejects
 * where there is no editor, or where it fails.
 */
export async function editedText(
  text: string,
  editor: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  if (editor === undefined) throw usageError('There is no editor: set EDITOR, or say --payload or --file');
  const directory = await mkdtemp(join(tmpdir(), 'disco-bus-'));
  const file = join(directory, 'payload.json');
  try {
    await writeFile(file, `${text}\n`, { mode: 0o600 });
    await opened(editor, file, signal);
    return await readFile(file, 'utf8');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** By a shell, as the setting may have words beside the program; on stderr, as stdout is for data. */
function opened(editor: string, file: string, signal: AbortSignal): Promise<void> {
  const child = spawn(`${editor} "${file}"`, { shell: true, stdio: [0, 2, 2], signal });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, by) => {
      if (code === 0) resolve();
      else
        reject(new CommandFailure(exitCodes.failed, `The editor ended with ${code ?? by}: nothing was done`));
    });
  });
}

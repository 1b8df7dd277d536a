import type { Cluster, Redis } from 'ioredis';
import { DriverError } from '../../../errors/driver.errors.js';
import { isRefusal, replyCode } from '../redis-error.js';

/** What is asked for: commands on a key, and access to more keys and to a channel. */
export interface RightsNeed {
  /** As `'XADD'` or `'XGROUP CREATE'`. */
  readonly commands: readonly string[];
  /** The first one is what the commands are tried on. */
  readonly keys: readonly string[];
  /** For PUBLISH and SUBSCRIBE. */
  readonly channel?: string;
}

const keyless = new Set(['TIME', 'WAIT']);
const onChannels = new Set(['PUBLISH', 'SUBSCRIBE']);

/** A server before 7.0 does not tell. How many arguments a command takes, newer ones insist on: so more are added until they do. */
const script = `
local missing, check = {}, redis.acl_check_cmd
if not check then return missing end
for _, line in ipairs(ARGV) do
  local words, allowed = {}, false
  for word in string.gmatch(line, '[^\\n]+') do words[#words + 1] = word end
  local name = table.remove(words, 1)
  for _ = 0, 6 do
    local known, answer = pcall(check, unpack(words))
    if known then allowed = answer break end
    words[#words + 1] = '1'
  end
  if not allowed then missing[#missing + 1] = name end
end
return missing
`;

/**
 * The rights of `need` that the user of this connection lacks, as an ACL rule would grant them: `+xadd`, `~key`, `&channel`.
 * A command that the server does not have counts as lacking. Keys that may not be used are told before the commands on them.
 * Rejects as ioredis does where there is no connection.
 */
export async function missingRights(client: Redis | Cluster, need: RightsNeed): Promise<string[]> {
  const keys = need.keys.map((key) => question(`~${key}`, 'EVAL', 'x', '1', key));
  const channel =
    need.channel === undefined ? [] : [question(`&${need.channel}`, 'PUBLISH', need.channel, 'x')];
  const mayPublish = need.commands.includes('PUBLISH') ? channel : [];
  const commands = need.commands.map((command) =>
    question(`+${command.toLowerCase().replace(' ', '|')}`, ...tried(command, need)),
  );
  try {
    const missing = (await client.eval(script, 0, ...keys, ...commands, ...mayPublish)) as string[];
    const closed = missing.filter((name) => name.startsWith('~'));
    return closed.length > 0 ? closed : missing;
  } catch (error) {
    if (isRefusal(error) && /^(NOPERM|ERR unknown command)/.test((error as Error).message)) return ['+eval'];
    throw error;
  }
}

/** Rejects with DriverError, which names what is missing, and which trying again does not change. */
export async function assertRights(
  client: Redis | Cluster,
  purpose: string,
  need: RightsNeed,
): Promise<void> {
  const missing = await missingRights(client, need);
  if (missing.length > 0) throw lackingRights(purpose, missing);
}

/** `purpose` as in "for delivery at least once". */
export function lackingRights(purpose: string, missing: readonly string[]): DriverError {
  const rights = missing.join(' ');
  const cause = Object.assign(new Error(`NOPERM ${rights}`), { name: 'ReplyError' });
  const text = `The Redis user lacks rights (NOPERM) for ${purpose}: ${rights} (docs/reference/least-rights.md has the ACL rules)`;
  return new DriverError(text, { cause, retryable: false });
}

/** Whether the server has no such command, or not for this user. */
export function isNotAllowed(error: unknown): boolean {
  const code = replyCode(error);
  return code === 'NOPERM' || (isRefusal(error) && (error as Error).message.startsWith('ERR unknown'));
}

function tried(command: string, { keys: [key], channel = '' }: RightsNeed): string[] {
  if (command === 'XREADGROUP') return ['XREADGROUP', 'GROUP', 'x', 'x', 'STREAMS', key, '>'];
  if (command.startsWith('EVAL')) return [command, 'x', '1', key];
  if (keyless.has(command)) return [command];
  if (onChannels.has(command)) return [command, channel];
  return [...command.split(' '), key];
}

function question(...words: string[]): string {
  return words.join('\n');
}

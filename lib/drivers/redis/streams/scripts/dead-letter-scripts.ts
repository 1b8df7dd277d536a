import * as lua from './shared-lua.js';

const letters = `
local dead, retry, state, parts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
`;

/**
 * Whether the topic has the group, or dead letters of it.
 *
 * KEYS: stream, dead letters. ARGV: group. Answers: 1 or 0.
 */
export const groupExistsScript = `
if redis.call('EXISTS', KEYS[2]) == 1 then return 1 end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  for i = 1, #info, 2 do
    if info[i] == 'name' and info[i + 1] == ARGV[1] then return 1 end
  end
end
return 0
`;

/**
 * Hands one dead letter back to its group as a first attempt.
 *
 * KEYS: dead letters, retry stream, state, settled parts. ARGV: position, and optionally the bytes of one message in place of
 * the letter's own.
 * Answers: 1 if it was there, 0 if not, -1 if it holds several messages and so cannot take other bytes.
 */
export const replayScript =
  lua.opening +
  letters +
  lua.appendFunction +
  lua.comeBackFunction +
  lua.unburiedFunction +
  `
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not found then return 0 end
local letter = fieldsOf(found[2])
if ARGV[2] and (tonumber(letter.m) or 1) > 1 then return -1 end
comeBack(tonumber(letter.m) or 1, letter.s or '', 'f', ARGV[2] or letter.f or '', 'a', 0, 'c', 0, 'n', 0, 'o', letter.o or ARGV[1], 'x', '',
  'r', (tonumber(letter.r) or 0) + 1, 's', letter.s or '')
unburied(ARGV[1], letter)
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
`;

/**
 * Deletes one dead letter.
 *
 * KEYS: as for a replay. ARGV: position. Answers: 1 if it was there, else 0.
 */
export const removeLetterScript =
  lua.opening +
  letters +
  lua.appendFunction +
  lua.unburiedFunction +
  `
local found = redis.call('XRANGE', dead, ARGV[1], ARGV[1])[1]
if not found then return 0 end
unburied(ARGV[1], fieldsOf(found[2]))
return redis.call('XDEL', dead, ARGV[1])
`;

/**
 * Deletes all dead letters.
 *
 * KEYS: dead letters, state. Answers: how many there were.
 */
export const purgeScript = `
local count = redis.call('XLEN', KEYS[1])
redis.call('DEL', KEYS[1])
for _, name in ipairs(redis.call('HKEYS', KEYS[2])) do
  if string.sub(name, 1, 4) == 'dead' then redis.call('HDEL', KEYS[2], name) end
end
return count
`;

/** `force(lock, fence, queue)`. Needs: call, now, tokenPattern, serve. */
export const forceFunction = `
-- Takes the lock from all who hold it: their tokens. Others' data of the same name has no time to live, or other members.
local function force(lock, fence, queue)
  local kind, lost = call('TYPE', lock).ok, {}
  if kind == 'string' and call('PTTL', lock) >= 0 then
    lost[1] = call('GET', lock)
  elseif kind == 'zset' and string.match(call('ZRANGE', lock, 0, 0)[1], tokenPattern) then
    call('ZREMRANGEBYSCORE', lock, '-inf', now)
    lost = call('ZRANGE', lock, 0, -1)
  end
  if #lost == 0 then return '-' end
  call('DEL', lock)
  if call('EXISTS', queue) == 1 then serve(lock, fence, queue) end
  for i, token in ipairs(lost) do
    if not string.match(token, '^~?%x+$') then lost[i] = '?' end
  end
  return table.concat(lost, ',')
end
`;

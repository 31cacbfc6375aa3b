-- A damaged record is taken out of everything that the service reads and kept for an operator, so that nobody else's
-- step fails on it again. A record in which nothing is damaged, or that a newer release wrote, stays where it is.
-- ARGV: id, what its reader could not read ('' if only this script is to judge), ttl ms, newest schema that is read
-- Returns: what is damaged | '' if nothing is
local id, seen, ttl, newest = unpack(ARGV)
even_if_memory_is_full()
local key = record(id)
local kind = redis.call('TYPE', key).ok
local STATES = {queued = 1, running = 1, succeeded = 1, failed = 1, cancelled = 1, expired = 1}
local NUMBERS = {'schema', 'created', 'deadline', 'texts', 'bytes', 'chunks', 'settled', 'dead', 'done', 'errors',
                 'ahead', 'drained'}

local function damage()
  if kind == 'none' then return '' end
  if kind ~= 'hash' then return 'it is a ' .. kind end
  local numbers = redis.call('HMGET', key, unpack(NUMBERS))
  for place, name in ipairs(NUMBERS) do
    local number = numbers[place]
    -- Redis counts no further than 64 bits.
    if not (number and #number <= 18 and string.match(number, '^%-?%d+$')) then return 'its ' .. name .. ' is no number' end
    if name == 'schema' and tonumber(numbers[place]) > tonumber(newest) then return '' end
  end
  local state, model, lane, options = unpack(redis.call('HMGET', key, 'state', 'model', 'lane', 'options'))
  if not (model and options and (lane == 'interactive' or lane == 'bulk')) then return 'a field is missing' end
  if not (state and STATES[state]) then return 'its state is unknown' end
  local counted, chunks = pcall(number_of_chunks, id)
  if not counted then return 'its number of chunks is wrong' end
  for n = 0, chunks - 1 do
    local readable, chunk = pcall(get_chunk, id, n)
    if not (readable and chunk) then return 'chunk ' .. n .. ' is unreadable' end
    if (chunk.state == 'queued' or is_held(chunk)) and redis.call('HEXISTS', key, 't:' .. n) == 0 then
      return 'the texts of chunk ' .. n .. ' are missing'
    end
  end
  return seen
end

local why = damage()
if why == '' then return '' end
if kind == 'hash' then
  local model = redis.call('HGET', key, 'model')
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local n = string.match(field, '^c:(%d+)$')
    if n then
      local readable, chunk = pcall(get_chunk, id, n)
      on('ZREM', 'retort:dead', ticket(id, n))
      if model then on('ZREM', queued(model), ticket(id, n)) end
      if readable and chunk and is_held(chunk) then on('SREM', leased(chunk.worker), ticket(id, n)) end
    end
  end
end
on('ZREM', 'retort:deadlines', id)
ask_for('retort:recount')
redis.call('RENAME', key, 'retort:set-aside:job:' .. id)
redis.call('PEXPIRE', 'retort:set-aside:job:' .. id, ttl)
redis.call('PUBLISH', WAKE, id)
redis.call('PUBLISH', CANCELLED, id)
count('set_aside')
return why

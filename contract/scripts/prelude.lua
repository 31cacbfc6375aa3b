-- Shared by every script of this folder (contract/redis_client.py puts it in front of each).
-- The job record is one hash, retort:job:<id>. Its fields for chunk n:
--   c:<n>  "state|attempts|worker|texts|bytes", state one of queued, leased, running, committed, dead, dropped
--   t:<n>  the texts, a JSON array, until they are committed     r:<n>  the result, JSON     e:<n>  why it is dead
-- docs/reliability.md draws the states; each transition is one script, so each is atomic.

local WORKERS = 'retort:workers'
local SERVED = 'retort:served'
local WAKE = 'retort:wake'
local CANCELLED = 'retort:cancelled'

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function record(id) return 'retort:job:' .. id end
local function ticket(id, n) return id .. '/' .. n end
local function queued(model) return 'retort:queued:' .. model end
local function leased(worker) return 'retort:leased:' .. worker end
local function backlog(model) return 'retort:backlog:' .. model end
local function made_by(caller) return 'retort:jobs:' .. caller end

-- When its memory is full, Redis refuses the first write of a script if that write may need memory, and none after it
-- (scriptVerifyOOM in its source), so that a script is never cut in half. Scripts by which admitted work goes on begin
-- with a write that needs none: full memory stops new jobs, never the old ones.
local function even_if_memory_is_full() redis.call('DEL', 'retort:none') end

-- A sweep that finds another value than last time does what is asked for. A stranger may have written the key, too.
local function ask_for(what)
  local answer = redis.pcall('INCR', what)
  if type(answer) == 'table' and answer.err then redis.call('SET', what, redis.call('TIME')[1]) end
end

-- A key of another type waits for an operator, and a sweep lists anew what it held.
local SET_ASIDE_MS = 604800000
local RELIST = 'retort:relist'
local function set_key_aside(key)
  redis.call('RENAME', key, 'retort:set-aside:' .. key)
  redis.call('PEXPIRE', 'retort:set-aside:' .. key, SET_ASIDE_MS)
  ask_for(RELIST)
end

-- A command on a key that the whole service shares. One that a stranger gave another type is moved aside, a counter that
-- is no number begins at 0: neither may harm the job in whose step it is met.
local function on(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  local fault = type(answer) == 'table' and answer.err
  if not fault then return answer end
  if string.find(fault, 'WRONGTYPE', 1, true) then
    set_key_aside(key)
  elseif command == 'HINCRBY' and (string.find(fault, 'not an integer', 1, true) or string.find(fault, 'overflow', 1, true)) then
    redis.call('HDEL', key, (...))
    ask_for('retort:recount')
  else
    error(fault)
  end
  return redis.call(command, key, ...)
end

-- A counter's number; 0 for what is none. Longer ones are beyond what Lua counts exactly.
local function integer(text)
  return text and #text <= 15 and string.match(text, '^%-?%d+$') and tonumber(text) or 0
end

local function count(name) on('HINCRBY', 'retort:totals', name, 1) end

local function get_chunk(id, n)
  local text = redis.call('HGET', record(id), 'c:' .. n)
  if not text then return nil end
  local state, attempts, worker, texts, bytes = string.match(text, '^(%a+)|(%d+)|([^|]*)|(%d+)|(%d+)$')
  if not state then error('chunk ' .. n .. ' is damaged') end
  return {n = n, state = state, attempts = tonumber(attempts), worker = worker,
          texts = tonumber(texts), bytes = tonumber(bytes)}
end

local function put_chunk(id, chunk)
  redis.call('HSET', record(id), 'c:' .. chunk.n, table.concat(
    {chunk.state, chunk.attempts, chunk.worker, chunk.texts, chunk.bytes}, '|'))
end

local function is_held(chunk) return chunk.state == 'leased' or chunk.state == 'running' end

local function is_open(state) return state == 'queued' or state == 'running' end

local function add_backlog(model, lane, texts, bytes)
  on('HINCRBY', backlog(model), lane .. '_texts', texts)
  on('HINCRBY', backlog(model), lane .. '_bytes', bytes)
end

-- The chunk no longer waits for a worker: it leaves its queue or its worker, and the backlog.
local function leave(id, model, lane, chunk)
  if chunk.state == 'queued' then
    on('ZREM', queued(model), ticket(id, chunk.n))
  else
    on('SREM', leased(chunk.worker), ticket(id, chunk.n))
  end
  add_backlog(model, lane, -chunk.texts, -chunk.bytes)
  on('HINCRBY', backlog(model), lane .. '_drained', chunk.texts)
end

-- Whoever waits for the job looks at it again.
local WAKES = true
local function wake(id)
  if WAKES then redis.call('PUBLISH', WAKE, id) end
end

-- Webhooks that are owed: retort:webhook:<job id> is a hash of all that its receiver is told, WEBHOOKS says when each is
-- to be looked at by a sweep, webhooks_of(signer) which of that key's are being delivered, and until when at most.
local WEBHOOKS = 'retort:webhooks'
local DEAD_WEBHOOKS = 'retort:webhooks:dead'
local DISABLED = 'retort:webhooks:disabled'
local WEBHOOK_QUEUE = 'retort.webhooks'
local ON_ITS_WAY_MS = 3000
local function webhook(id) return 'retort:webhook:' .. id end
local function webhooks_of(signer) return 'retort:webhooks:of:' .. signer end

-- Whoever asked to be told of the job's end is owed that from now on: in the same step as the end, with the message that
-- a notifier goes by. A job that is sent again and ends anew is told of anew.
local function owe(id)
  local key, now = record(id), now_ms()
  local address, signer, message, model, version, texts, done, errors, state = unpack(redis.call('HMGET', key,
    'webhook', 'signer', 'notice', 'model', 'version', 'texts', 'done', 'errors', 'state'))
  if not (address and signer and message) then return end
  redis.call('DEL', webhook(id))
  redis.call('HSET', webhook(id), 'ends', on('HINCRBY', key, 'ends', 1), 'address', address, 'signer', signer,
    'state', state, 'model', model or '', 'version', version or '', 'texts', texts or 0, 'done', done or 0,
    'errors', errors or 0, 'finished', now, 'since', now, 'due', now, 'attempts', 0)
  on('ZADD', WEBHOOKS, now + ON_ITS_WAY_MS, id)
  on('ZADD', webhooks_of(signer), 0, id)
  on('ZREM', DEAD_WEBHOOKS, id)
  on('LPUSH', WEBHOOK_QUEUE, message)
  count('webhooks_owed')
end

-- The webhook is owed no more.
local function forgive(id, signer)
  on('ZREM', WEBHOOKS, id)
  on('ZREM', webhooks_of(signer), id)
end

-- The job ends, once; everybody who waits for it is woken.
local function finish(id, state, ttl_ms)
  local key = record(id)
  redis.call('HSET', key, 'state', state, 'finished', now_ms())
  redis.call('PEXPIRE', key, ttl_ms)
  on('ZREM', 'retort:deadlines', id)
  owe(id)
  wake(id)
  count(state)
end

-- Each chunk has at least one field, so that a number beyond that is damage, not a long loop.
local function number_of_chunks(id)
  local chunks = tonumber(redis.call('HGET', record(id), 'chunks'))
  if not chunks or chunks > redis.call('HLEN', record(id)) then error('its number of chunks is damaged') end
  return chunks
end

-- The job ends before its chunks did: what has not run is dropped.
local function abandon(id, state, ttl_ms)
  local key = record(id)
  local model, lane = unpack(redis.call('HMGET', key, 'model', 'lane'))
  for n = 0, number_of_chunks(id) - 1 do
    local chunk = get_chunk(id, n)
    if chunk.state == 'queued' or is_held(chunk) then
      leave(id, model, lane, chunk)
      chunk.state = 'dropped'
      put_chunk(id, chunk)
    end
    redis.call('HDEL', key, 't:' .. n)
    on('ZREM', 'retort:dead', ticket(id, n))
  end
  finish(id, state, ttl_ms)
  redis.call('PUBLISH', CANCELLED, id)
end

-- The chunk is tried no more: it becomes a dead letter.
local function bury(id, chunk, why)
  chunk.state = 'dead'
  put_chunk(id, chunk)
  redis.call('HSET', record(id), 'e:' .. chunk.n, why)
  redis.call('HINCRBY', record(id), 'settled', 1)
  redis.call('HINCRBY', record(id), 'dead', 1)
  on('ZADD', 'retort:dead', now_ms(), ticket(id, chunk.n))
  count('dead_letters')
end

-- A chunk was committed or died; the last one ends the job.
local function settle(id, result_ttl_ms, dead_ttl_ms)
  local chunks, settled, dead = unpack(redis.call('HMGET', record(id), 'chunks', 'settled', 'dead'))
  if tonumber(settled) < tonumber(chunks) then return false end
  if tonumber(dead) > 0 then finish(id, 'failed', dead_ttl_ms) else finish(id, 'succeeded', result_ttl_ms) end
  return true
end

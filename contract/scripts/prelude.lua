-- Shared by every script of this folder (contract/redis_client.py puts it in front of each).
-- The job record is one hash, retort:job:<id>. Its fields for chunk n:
--   c:<n>  "state|attempts|worker|texts|bytes", state one of queued, leased, running, committed, dead, dropped
--   t:<n>  the texts, a JSON array, until they are committed     r:<n>  the result, JSON     e:<n>  why it is dead
-- docs/reliability.md draws the states; each transition is one script, so each is atomic.

local WORKERS = 'retort:workers'
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

local function count(name) redis.call('HINCRBY', 'retort:totals', name, 1) end

local function get_chunk(id, n)
  local text = redis.call('HGET', record(id), 'c:' .. n)
  if not text then return nil end
  local state, attempts, worker, texts, bytes = string.match(text, '^(%a+)|(%d+)|([^|]*)|(%d+)|(%d+)$')
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
  redis.call('HINCRBY', backlog(model), lane .. '_texts', texts)
  redis.call('HINCRBY', backlog(model), lane .. '_bytes', bytes)
end

-- The chunk no longer waits for a worker: it leaves its queue or its worker, and the backlog.
local function leave(id, model, lane, chunk)
  if chunk.state == 'queued' then
    redis.call('ZREM', queued(model), ticket(id, chunk.n))
  else
    redis.call('SREM', leased(chunk.worker), ticket(id, chunk.n))
  end
  add_backlog(model, lane, -chunk.texts, -chunk.bytes)
  redis.call('HINCRBY', backlog(model), lane .. '_drained', chunk.texts)
end

-- The job ends, once; everybody who waits for it is woken.
local function finish(id, state, ttl_ms)
  local key = record(id)
  redis.call('HSET', key, 'state', state, 'finished', now_ms())
  redis.call('PEXPIRE', key, ttl_ms)
  redis.call('ZREM', 'retort:deadlines', id)
  redis.call('PUBLISH', WAKE, id)
  count(state)
end

-- The job ends before its chunks did: what has not run is dropped.
local function abandon(id, state, ttl_ms)
  local key = record(id)
  local model, lane, chunks = unpack(redis.call('HMGET', key, 'model', 'lane', 'chunks'))
  for n = 0, tonumber(chunks) - 1 do
    local chunk = get_chunk(id, n)
    if chunk.state == 'queued' or is_held(chunk) then
      leave(id, model, lane, chunk)
      chunk.state = 'dropped'
      put_chunk(id, chunk)
    end
    redis.call('HDEL', key, 't:' .. n)
    redis.call('ZREM', 'retort:dead', ticket(id, n))
  end
  finish(id, state, ttl_ms)
  redis.call('PUBLISH', CANCELLED, id)
end

-- A chunk was committed or died; the last one ends the job.
local function settle(id, result_ttl_ms, dead_ttl_ms)
  local chunks, settled, dead = unpack(redis.call('HMGET', record(id), 'chunks', 'settled', 'dead'))
  if tonumber(settled) < tonumber(chunks) then return false end
  if tonumber(dead) > 0 then finish(id, 'failed', dead_ttl_ms) else finish(id, 'succeeded', result_ttl_ms) end
  return true
end

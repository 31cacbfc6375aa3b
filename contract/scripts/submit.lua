-- Admission and the whole job record in one step.
-- KEYS: idempotency key, if there is one
-- ARGV: id, model, lane, options, caller, deadline in ms from now, body digest, idempotency ttl ms,
--       most texts, most bytes of the lane's backlog, traceparent ('' for none), ms that an ended job is kept at most,
--       webhook ('' for none), the key that signs it, the message that has it delivered,
--       number of messages, then per message: its queue, itself; then per chunk: texts as JSON, their number, their bytes
-- Returns: accepted | same, id | conflict, id | full, texts, bytes of the backlog | no-memory | owing, webhooks
local MEMORY_FOR_NEW_JOBS = 0.9
local MOST_LISTED = 1000
local MOST_OWED = 10000
local id, model, lane, options, caller, deadline_in, digest, idempotency_ttl, most_texts, most_bytes, trace,
  kept, address, signer, notice, messages = unpack(ARGV, 1, 16)
local first = 17 + 2 * messages

-- The client sends again what it got no answer to.
if redis.call('EXISTS', record(id)) == 1 then return {'accepted'} end

if KEYS[1] then
  local known = on('HMGET', KEYS[1], 'id', 'digest')
  if known[1] then
    if known[2] == digest then return {'same', known[1]} else return {'conflict', known[1]} end
  end
end

local chunks, texts, bytes = (#ARGV - first + 1) / 3, 0, 0
for n = 0, chunks - 1 do
  texts = texts + ARGV[first + 3 * n + 1]
  bytes = bytes + ARGV[first + 3 * n + 2]
end

-- The last of Redis's memory is for what was admitted before: its messages, its results.
local memory = redis.call('INFO', 'memory')
local limit = tonumber(string.match(memory, 'maxmemory:(%d+)'))
if limit > 0 and tonumber(string.match(memory, 'used_memory:(%d+)')) + bytes > limit * MEMORY_FOR_NEW_JOBS then
  return {'no-memory'}
end

-- An empty lane takes any job: a bound on the backlog is no bound on one request.
local waiting = on('HMGET', backlog(model), lane .. '_texts', lane .. '_bytes', lane .. '_drained')
local waiting_texts, waiting_bytes = integer(waiting[1]), integer(waiting[2])
if waiting_texts > 0 and
   (waiting_texts + texts > tonumber(most_texts) or waiting_bytes + bytes > tonumber(most_bytes)) then
  count('refused')
  return {'full', waiting_texts, waiting_bytes}
end

-- A receiver that takes nothing must not fill the memory.
if address ~= '' then
  local owed = on('ZCARD', webhooks_of(signer))
  if owed >= MOST_OWED then return {'owing', owed} end
end

local now = now_ms()
local key = record(id)
redis.call('HSET', key, 'schema', 1, 'state', 'queued', 'model', model, 'lane', lane, 'options', options,
  'caller', caller, 'created', now, 'deadline', now + deadline_in, 'texts', texts, 'bytes', bytes,
  'chunks', chunks, 'settled', 0, 'dead', 0, 'done', 0, 'errors', 0,
  'ahead', waiting_texts, 'drained', integer(waiting[3]))
if trace ~= '' then redis.call('HSET', key, 'trace', trace) end
if address ~= '' then redis.call('HSET', key, 'webhook', address, 'signer', signer, 'notice', notice) end
for n = 0, chunks - 1 do
  local text, number, size = unpack(ARGV, first + 3 * n, first + 3 * n + 2)
  put_chunk(id, {n = n, state = 'queued', attempts = 0, worker = '', texts = number, bytes = size})
  redis.call('HSET', key, 't:' .. n, text)
  on('ZADD', queued(model), now, ticket(id, n))
end
on('ZADD', 'retort:deadlines', now + deadline_in, id)
-- The caller's newest jobs, for as long as the last of them can be there.
on('ZADD', made_by(caller), now, id)
redis.call('ZREMRANGEBYRANK', made_by(caller), 0, -1 - MOST_LISTED)
local listed = math.max(redis.call('PTTL', made_by(caller)), deadline_in + kept)
redis.call('PEXPIRE', made_by(caller), listed)
add_backlog(model, lane, texts, bytes)
if KEYS[1] then
  redis.call('HSET', KEYS[1], 'id', id, 'digest', digest)
  redis.call('PEXPIRE', KEYS[1], idempotency_ttl)
end
for n = 0, messages - 1 do
  on('LPUSH', ARGV[17 + 2 * n], ARGV[18 + 2 * n])
end
count('accepted')
return {'accepted'}

-- A chunk whose first attempt failed goes on the device, alone: leased -> running.
-- If the worker dies from here on, the chunk is to blame.
-- ARGV: id, chunk, worker.  Returns 1 if the worker still holds the chunk.
local id, n, worker = unpack(ARGV)
even_if_memory_is_full()
local state = redis.call('HGET', record(id), 'state')
local chunk = state and is_open(state) and get_chunk(id, n)
if not chunk or not is_held(chunk) or chunk.worker ~= worker then return 0 end
chunk.state = 'running'
put_chunk(id, chunk)
return 1

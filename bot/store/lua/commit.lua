-- Stores one change, all of it or nothing. Knows no rules: it compares versions and writes.
--
-- KEYS  1 job, 2 lease, 3 log, 4 the hash of the subject, then the <key> of each row below
-- ARGV  1 commit id, 2 "1" when the change only ends things, then the sections below, each a
--       count followed by that many rows
--   versions   <snapshot> expected               "0": there is none yet
--   needed     <permission>
--   stopped    <queue> job
--   gone       <permission or token>
--   unlisted   <index> request
--   snapshots  <snapshot> version record
--   facts      <history> line
--   ended      <stream> token
--   set        <queue> job due payload           due in ms; "" is now
--   permitted  <permission or token> value until in ms
--   listed     <index> score request
--   newest     <index> how many to leave in it
--   fading     <any> left in ms
-- Returns {"stored" | "done" | "conflict" | "late", seconds, microseconds}: the server's TIME.
--   done: this commit was stored before, whatever happened since; conflict: a version moved on;
--   late: a permission is gone.

local call = redis.call
local JOB, LEASE, LOG, SUBJECT = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local commit, only_ends = 'c:' .. ARGV[1], ARGV[2] == '1'

local time = call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))

local keys_read, args_read = 4, 2
local function key() keys_read = keys_read + 1 return KEYS[keys_read] end
local function arg() args_read = args_read + 1 return ARGV[args_read] end
local function rows(each) for _ = 1, tonumber(arg()) do each(key()) end end

if call('HEXISTS', SUBJECT, commit) == 1 then return {'done', time[1], time[2]} end

local refusal
rows(function(snapshot)
  if (call('HGET', snapshot, 'v') or '0') ~= arg() then refusal = 'conflict' end
end)
rows(function(permission)
  if call('EXISTS', permission) == 0 then refusal = refusal or 'late' end
end)
if refusal then return {refusal, time[1], time[2]} end

-- A full server refuses a script at its first command that needs memory, unless it has written
-- already: so what only ends things begins with a write that needs none, and all else does not.
if only_ends then call('HDEL', LEASE, '') end
call('HSET', SUBJECT, commit, '1')

rows(function(queue)
  local id = arg()
  call('ZREM', queue, id)
  call('HDEL', JOB, id)
  call('HDEL', LEASE, id)
end)
rows(function(gone) call('DEL', gone) end)
rows(function(index) call('ZREM', index, arg()) end)
rows(function(snapshot) call('HSET', snapshot, 'v', arg(), 'd', arg()) end)
rows(function(history)
  local line = arg()
  call('RPUSH', history, line)
  call('XADD', LOG, '*', 'e', line)
end)
rows(function(ended) call('XADD', ended, '*', 'e', arg()) end)
rows(function(queue)
  local id, due, payload = arg(), arg(), arg()
  if due == '' then due = now end
  call('HSET', JOB, id, due .. '|' .. payload)
  -- While somebody holds the job only its payload changes; fence 0 is nobody.
  local held = call('HGET', LEASE, id)
  if not held or string.sub(held, 1, 2) == '0:' then call('ZADD', queue, due, id) end
end)
rows(function(permitted) call('SET', permitted, arg(), 'PXAT', arg()) end)
rows(function(index) call('ZADD', index, arg(), arg()) end)
rows(function(index) call('ZREMRANGEBYRANK', index, 0, -1 - arg()) end)
rows(function(fading) call('PEXPIRE', fading, arg()) end)

return {'stored', time[1], time[2]}

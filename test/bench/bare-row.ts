/** As many columns as an activity has, straight from the record; a literal where the record has no such field. */
export function bareRow(r: Record<string, string>, seq: number): string {
  const time = Date.parse(r.eventTime ?? '')
  return JSON.stringify([
    ...[
      r.eventID,
      time,
      seq,
      'cloudtrail',
      'cloudtrail',
      'api_activity',
      r.eventSource,
      'role',
      'aws',
      r.recipientAccountId,
    ],
    ...[
      'no',
      'bare',
      r.eventName,
      r.eventSource,
      'read',
      '',
      r.eventType,
      [r.requestID],
      'success',
      '',
      r.requestID,
      'session',
    ],
    ...[
      '',
      '',
      '',
      '',
      'cloud',
      r.sourceIPAddress,
      r.sourceIPAddress,
      '',
      0,
      'aws',
      r.userAgent,
      'agent',
      r.awsRegion,
    ],
    ...[r.requestID, '', 0, {}],
  ])
}

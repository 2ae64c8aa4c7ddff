Feature: Money for goods that came back

  Background:
    Given it is 2026-03-02T09:00:00Z
    And stock of "MUG": Receive {quantity: 10}
    And stock of "POT": Receive {quantity: 5}
    And cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                  |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 10.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, capture: at_once, pay_by: now + 30 minutes}
    And payment "P1": Authorize {attempt: A1, token: tok_approve}
    And order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}

  Scenario: Goods that came back are paid back and credited, and the order is told when the money is there
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 2}], reason: wrong colour}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 2, disposition: restock}], issued_at: now}
    Then ReturnReceived {value: 20.00 GBP, ..}
    And eventually fulfilment "O1" is exactly:
      | ReturnNoted    | {return_id: R1, value: 20.00 GBP}                                 |
      | BalanceChanged | {due: 30.00 GBP, keep: 30.00 GBP, complete: true}                 |
      | CreditNoteDue  | {note: R1, credit: {customer: ada, order: O1, ..}}                |
      | RefundDue      | {payment: P1, refund: due-2, amount: 20.00 GBP, at: now}          |
      | RefundNoted    | {payment: P1, refund: due-2, amount: 20.00 GBP}                   |
      | ReturnSettled  | {order: O1, return_id: R1, amount: 20.00 GBP}                     |
    And fulfilment "O1" wants order "R1": IssueCreditNote
    And fulfilment "O1" wants payment "P1": Refund {refund: due-2, amount: 20.00 GBP, reason: owed to the buyer}
    And fulfilment "O1" wants order "O1": RecordReturnRefunded {return_id: R1, amount: 20.00 GBP}
    And fulfilment "O1" wants nothing more
    And eventually order "O1": ReturnRefunded {return_id: R1, amount: 20.00 GBP}
    And eventually order "R1": CreditNoteIssued {order: O1, customer: ada, lines: [{sku: MUG, title: Mug, quantity: 2, unit_price: 10.00 GBP}], total: 20.00 GBP, ..}
    And the order "O1" reads {payment_status: partially_refunded, returns: [{id: R1, status: refunded, refunded: 20.00 GBP, ..}], ..}
    And the order "R1" reads {kind: credit_note, credits: O1, total: 20.00 GBP, ..}

  Scenario: Broken goods are paid back as well, but not put on the shelf
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 1, quantity: 1}], reason: cracked}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 1, quantity: 1, disposition: write_off}], issued_at: now}
    Then ReturnReceived {restock: [], value: 20.00 GBP, ..}
    And eventually payment "P1": Refunded {amount: 20.00 GBP, ..}
    And never stock of "POT": Adjusted

  Scenario: A return that is only announced or approved moves no money
    When order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 2}], reason: wrong colour}
    And order "O1": ApproveReturn {return_id: R1}
    Then ReturnApproved
    And never payment "P1": RefundRequested
    And never order "R1": CreditNoteIssued

  Scenario: The third mug is worth what it was sold for, whenever it comes back
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: wrong colour}
    And order "O1": ApproveReturn {return_id: R1}
    And order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 1, disposition: restock}], issued_at: now}
    And order "O1": RequestReturn {return_id: R2, lines: [{line: 0, quantity: 2}, {line: 1, quantity: 1}], reason: wrong colour}
    And order "O1": ApproveReturn {return_id: R2}
    When order "O1": ReceiveReturn {return_id: R2, lines: [{line: 0, quantity: 2, disposition: restock}, {line: 1, quantity: 1, disposition: restock}], issued_at: now}
    Then ReturnReceived {value: 40.00 GBP, ..}
    And eventually payment "P1": Refunded {amount: 40.00 GBP, ..}
    And the order "O1" reads {status: returned, payment_status: refunded, ..}

  Scenario: Money that staff gave back at the counter is not given back again by a later return of something else
    Given payment "P1": Refund {refund: G1, amount: 20.00 GBP, reason: cracked pot}
    And order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 3}], reason: wrong colour}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 3, disposition: restock}], issued_at: now}
    Then ReturnReceived {value: 30.00 GBP, ..}
    And eventually payment "P1" is exactly:
      | RefundRequested | {amount: 30.00 GBP, ..} |
      | Refunded        | {amount: 30.00 GBP, ..} |

  Scenario: An order is not told of money that the gateway did not give back
    Given cart "C2":
      | Open    | {customer: ada, currency: GBP}                                                  |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 10.00 GBP}} |
    And cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And payment "P2": Authorize {attempt: A1, token: tok_refund_fails}
    And order "O2": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    And order "O2": RequestReturn {return_id: R2, lines: [{line: 0, quantity: 1}], reason: wrong colour}
    And order "O2": ApproveReturn {return_id: R2}
    When order "O2": ReceiveReturn {return_id: R2, lines: [{line: 0, quantity: 1, disposition: restock}], issued_at: now}
    Then ReturnReceived
    And eventually payment "P2": RefundFailed
    And never order "O2": ReturnRefunded
    And eventually order "R2": CreditNoteIssued {total: 10.00 GBP, ..}
    And the order "O2" reads {returns: [{id: R2, status: received, refunded: none, ..}], ..}

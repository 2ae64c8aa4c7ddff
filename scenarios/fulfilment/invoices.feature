Feature: Invoices and credit notes of orders that are paid

  Background:
    Given it is 2026-03-02T09:00:00Z
    And stock of "MUG": Receive {quantity: 10}
    And stock of "POT": Receive {quantity: 5}
    And cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                  |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 10.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, capture: on_shipment, pay_by: now + 30 minutes}
    And payment "P1": Authorize {attempt: A1, token: tok_approve}

  Scenario: The invoice is due when the first parcel leaves, over the whole order, and only once
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then Shipped
    And eventually fulfilment "O1": InvoiceDue {order: O1, total: 50.00 GBP, issued_at: now}
    And fulfilment "O1" wants invoice_book "2026": Issue {document: invoice, order: O1, total: 50.00 GBP, issued_at: now}
    And eventually invoice_book "2026": Issued {number: 1, document: invoice, order: O1, total: 50.00 GBP, ..}
    And eventually order "O1": Invoiced {year: 2026, number: 1, issued_at: now}
    When order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 0, quantity: 2}]}
    Then Shipped
    And eventually invoice_book "2026" is exactly:
      | Issued | {number: 1, ..} |
    And the order "O1" reads {status: partially_shipped, invoice: {year: 2026, number: 1, ..}, ..}

  Scenario: Money given away before the first parcel makes nothing on the invoice cheaper
    Given order "O1": CancelLines {cancellation: X1, lines: [{line: 1, quantity: 1}]}
    And payment "P1": Capture {capture: K1, amount: 30.00 GBP}
    And payment "P1": Refund {refund: G1, amount: 5.00 GBP, reason: late}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    Then Shipped
    And eventually fulfilment "O1": BalanceChanged {due: 25.00 GBP, keep: 25.00 GBP, complete: true}
    And eventually invoice_book "2026": Issued {total: 30.00 GBP, ..}

  Scenario: An order that never left takes no number
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {confirmed: true, ..}
    And never invoice_book "2026": Issued
    And never order "O1": Invoiced

  Scenario: What was cancelled before the first parcel is not on the invoice
    Given order "O1": CancelLines {cancellation: X1, lines: [{line: 1, quantity: 1}]}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    Then Shipped
    And eventually invoice_book "2026": Issued {total: 30.00 GBP, ..}
    And never order "X1": CreditNoteIssued

  Scenario: What is cancelled after the invoice gets a credit note, with the next number
    Given order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 1, quantity: 1}]}
    Then LinesCancelled {value: 20.00 GBP, credit: {customer: ada, source: {cart: C1}, lines: [{sku: POT, title: Pot, quantity: 1, unit_price: 20.00 GBP}], charges: [], prices_include_tax: true, country: GB}, ..}
    And eventually fulfilment "O1": CreditNoteDue {note: X1, credit: {order: O1, issued_at: now, ..}}
    And fulfilment "O1" wants order "X1": IssueCreditNote
    And eventually order "X1": CreditNoteIssued {order: O1, total: 20.00 GBP, ..}
    And eventually invoice_book "2026": Issued {number: 2, document: credit_note, order: X1, total: 20.00 GBP, issued_at: now}
    And eventually order "X1": Invoiced {year: 2026, number: 2, issued_at: now}

  Scenario: A return of last year's order is credited in this year's book
    Given order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    And order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    And order "O1": ApproveReturn {return_id: R1}
    And it is 2027-01-04T10:00:00Z
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 1, disposition: write_off}], issued_at: now}
    Then ReturnReceived
    And order "R1" wants invoice_book "2027": Issue {document: credit_note, order: R1, total: 10.00 GBP, issued_at: 2027-01-04T10:00:00Z}
    And eventually invoice_book "2027": Issued {number: 1, document: credit_note, order: R1, ..}
    And invoice_book "2027" wants order "R1": RecordInvoice {year: 2027, number: 1, issued_at: 2027-01-04T10:00:00Z}
    And eventually order "R1": Invoiced {year: 2027, number: 1, ..}

  Scenario: Parcels are invoiced in the order in which they leave
    Given cart "C2":
      | Open    | {customer: eve, currency: GBP}                                                  |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 10.00 GBP}} |
    And cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Eve, address: Leeds, country: GB}, pay_by: now + 30 minutes}
    And payment "P2": Authorize {attempt: A1, token: tok_approve}
    And order "O2": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then Shipped
    And eventually order "O1": Invoiced {year: 2026, number: 2, ..}
